// A workspace that is connected, and what failed for want of its token is sent after all.
import { failedBetween, revive } from '../../src/notify/receipts.ts';
import { installWorkspace, workspaceOf } from '../../src/places/workspaces.ts';

/** Deliveries fail for a while before anybody notices that the token is the reason. */
const BEFORE_MS = 3_600_000;

export async function connectWorkspace(
  team: string,
  name: string,
  installation: unknown,
  first: { company: string },
): Promise<{ claim: string | null }> {
  const before = (await workspaceOf('slack', team))?.workspace;
  const { claim } = await installWorkspace('slack', team, name, installation, first);
  if (before?.state === 'needs_attention') {
    const since = new Date(before.updatedAt.getTime() - BEFORE_MS);
    await revive(
      await failedBetween(since, new Date(), 'slack', { workspace: team, reason: /token|attention/ }),
    );
  }
  return { claim };
}
