// Words that were taken back or put right are so in everybody's list as well, and go out by no other medium any more.
import type { Entry } from '../history/entry.ts';
import { filed } from '../history/history.ts';
import { notificationCollection } from './model.ts';

/** For the relay, once these entries are told: a word may be said and taken back in one round. */
export async function putRight(entries: readonly Entry[]): Promise<void> {
  for (const { action, comment } of entries) {
    if (!comment || (action !== 'comment_edited' && action !== 'comment_deleted')) continue;
    // Its id begins with that of the ticket on which it was said, wherever that was carried since (tickets/comments).
    const ticket = comment.id.slice(0, 24);
    const told = (await filed(ticket, { actions: ['comment_added'] }))
      .filter((one) => one.comment?.id === comment.id)
      .map((one) => one._id);
    const isGone = action === 'comment_deleted';
    await notificationCollection().updateMany(
      { ticket, 'news.entry': { $in: told } },
      {
        $set: {
          'news.text': isGone ? '' : (comment.text ?? ''),
          ...(isGone ? { 'news.attachments': [], due: null, media: [] } : {}),
        },
      },
    );
  }
}
