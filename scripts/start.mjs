// `npm start`: what a fresh clone lacks is made first, then Switchboard runs in this very process.
import './check-node.mjs';

import('./prepare.mjs')
  .then(({ prepare }) => prepare())
  .then(() => import(new URL('../dist/scripts/serve.js', import.meta.url).href))
  .then(({ serve }) => serve())
  .catch((error) => {
    console.error(error?.plain ? error.message : error);
    process.exit(1);
  });
