// After the run: the stores of servers.ts stop and their folder goes.
import type { RunningServers } from './servers.ts';

export default async function stopServers(): Promise<void> {
  const servers: RunningServers | undefined = globalThis.testServers;
  await servers?.stop();
}
