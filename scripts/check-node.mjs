// Is this Node new enough? Plain old syntax: an old Node must be able to read this file far enough to say so.
var least = [20, 19];
var have = process.versions.node.split('.').map(Number);
if (have[0] < least[0] || (have[0] === least[0] && have[1] < least[1])) {
  console.error(
    'Switchboard needs Node ' +
      least.join('.') +
      ' or newer, and this is ' +
      process.versions.node +
      '. Install a newer one (https://nodejs.org, or `nvm install 20`) and run this again.',
  );
  process.exit(1);
}
