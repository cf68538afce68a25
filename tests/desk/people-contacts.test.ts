// Contacts and identities: who is who, proven or not; merging and taking apart; taking a person out of everything.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import mongoose from 'mongoose';
import { systemCtx } from '../../src/context.ts';
import { fold, unpacked } from '../../src/history/entry.ts';
import { receive, settleInbox, take } from '../../src/inbox.ts';
import { openLog } from '../../src/log.ts';
import { FIRST_COMPANY } from '../../src/people/companies.ts';
import { finishErasures } from '../../src/people/erasure.ts';
import { confirmLink, link, meet, personFor, startLink, unlink } from '../../src/people/identities.ts';
import { finishMerges } from '../../src/people/merging.ts';
import { requestersFor } from '../../src/people/requesters.ts';
import { hireStaff, type Staff } from '../support/staff.ts';
import { openWorld, type World } from '../support/world.ts';

let world: World;
let staff: Staff;
const ctx = systemCtx({ log: openLog('silent') }, FIRST_COMPANY, 'slack');
beforeAll(async () => {
  world = await openWorld();
  staff = await hireStaff(world);
});
afterAll(() => world.close());

let count = 0;
const profile = (more: object = {}) => {
  count += 1;
  return { provider: 'slack', workspace: 'T1', externalId: `U${count}`, name: 'Anna', ...more };
};

describe('an account elsewhere', () => {
  test('with the verified address of a user is that user, at once and from then on', async () => {
    const who = profile({ email: 'Anna@company.example', emailVerified: true });
    expect(await meet(ctx, who)).toMatchObject({ kind: 'user', id: staff.agent.id, role: 'agent' });
    expect(await personFor(FIRST_COMPANY, 'slack', 'T1', who.externalId)).toMatchObject({
      id: staff.agent.id,
    });
    expect(await personFor(FIRST_COMPANY, 'slack', 'T2', who.externalId)).toBeNull();
  });

  test('is never linked by its name, an address nobody vouches for, as a guest, or in another company', async () => {
    const same = await meet(ctx, profile());
    const unverified = await meet(ctx, profile({ email: 'anna@company.example', emailVerified: false }));
    const guest = await meet(
      ctx,
      profile({ email: 'anna@company.example', emailVerified: true, guest: true }),
    );
    const elsewhere = await meet(
      systemCtx(ctx, 'f'.repeat(24)),
      profile({ email: 'anna@company.example', emailVerified: true }),
    );
    for (const actor of [same, unverified, guest, elsewhere])
      expect(actor).toMatchObject({ kind: 'contact', role: 'customer' });
    expect(new Set([same.id, unverified.id, guest.id, elsewhere.id]).size).toBe(4);
  });

  test('is not taken for whoever registered with its address first', async () => {
    const email = 'victim@elsewhere.example';
    const squatter = await world.call('POST', '/api/v1/auth/register', {
      body: { email, password: 'correct horse battery' },
    });
    expect(squatter.status).toBe(201);
    expect(await meet(ctx, profile({ email, emailVerified: true }))).toMatchObject({ kind: 'contact' });
    const onBehalf = { title: 'Told on the phone', requester: email };
    const { body: told } = await staff.agent.call('POST', 'tickets', onBehalf);
    expect(told.requester).toMatchObject({ kind: 'contact', email });
    expect((await requestersFor(ctx, [email])).get(email)).toMatchObject({ id: told.requester_id });
    await staff.admin.call('PATCH', `users/${squatter.body.id}`, { email: 'other@elsewhere.example' });
    await staff.admin.call('PATCH', `users/${squatter.body.id}`, { email: 'known@elsewhere.example' });
    const vouched = profile({ email: 'known@elsewhere.example', emailVerified: true });
    expect(await meet(ctx, vouched)).toMatchObject({ kind: 'user', id: squatter.body.id });
  });

  test('met by twenty messages at once is one contact', async () => {
    const who = profile({ name: 'Crowd' });
    const met = await Promise.all(Array.from({ length: 20 }, () => meet(ctx, who)));
    expect(new Set(met.map((one) => one.id)).size).toBe(1);
    const { body } = await staff.agent.call('GET', 'contacts?q=Crowd');
    expect(body.total).toBe(1);
  });

  test('whose link was undone stays apart until a code proves it', async () => {
    const who = profile({ email: 'mona@company.example', emailVerified: true });
    await meet(ctx, who);
    const mine = (await staff.manager.call('GET', 'users/me/identities')).body.items;
    expect(mine).toMatchObject([{ provider: 'slack', external_id: who.externalId, proof: 'profile_email' }]);
    expect((await staff.agent.call('DELETE', `users/me/identities/${mine[0].id}`)).status).toBe(404);
    expect((await staff.manager.call('DELETE', `users/me/identities/${mine[0].id}`)).status).toBe(204);
    expect(await meet(ctx, who)).toMatchObject({ kind: 'contact' });
    const { code } = await startLink(ctx, who);
    const linked = await staff.manager.call('POST', 'users/me/identities', { code: code.toLowerCase() });
    expect(linked).toMatchObject({
      status: 201,
      body: { identity: { external_id: who.externalId, proof: 'code' } },
    });
    expect(await meet(ctx, who)).toMatchObject({ kind: 'user', id: staff.manager.id });
    expect((await staff.lead.call('POST', 'users/me/identities', { code })).status).toBe(400);
  });

  test('is linked by a code said in the chat, once, and guessing is slowed down', async () => {
    const who = profile({ name: 'Lena L' });
    const { code } = (await staff.lead.call('POST', 'users/me/identities', {})).body;
    expect(await confirmLink(ctx, who, ` ${code} `)).toMatchObject({ id: staff.lead.id });
    await expect(confirmLink(ctx, profile(), code)).rejects.toMatchObject({ reason: 'identity.code' });
    const guesser = profile();
    for (let i = 0; i < 10; i++) await confirmLink(ctx, guesser, `AAAA-AAA${i}`).catch(() => undefined);
    await expect(confirmLink(ctx, guesser, 'AAAA-AAAA')).rejects.toMatchObject({ kind: 'busy' });
  });

  test('linked by an administrator is told in the audit trail, and so is the undoing', async () => {
    const who = profile({ name: 'Abel' });
    await link(ctx, who, { kind: 'user', id: staff.otherAgent.id }, 'admin');
    const [identity] = (await staff.admin.call('GET', `users/${staff.otherAgent.id}/identities`)).body.items;
    await unlink(ctx, staff.otherAgent.id, identity.id);
    const { body } = await staff.admin.call('GET', `audit?subject_id=${staff.otherAgent.id}`);
    expect(body.items.map((one: { action: string }) => one.action)).toEqual([
      'identity.unlinked',
      'identity.linked',
    ]);
  });
});

const addContact = async (name: string, email: string, more: object = {}) =>
  (await staff.agent.call('POST', 'contacts', { name, emails: [email], ...more })).body.id as string;
const file = async (requester: string, title = 'It does not work', description = '') =>
  (await staff.agent.call('POST', 'tickets', { title, description, requester })).body.key as string;
const contact = async (id: string) => (await staff.agent.call('GET', `contacts/${id}`)).body;
const requesterOf = async (key: string) => (await staff.agent.call('GET', `tickets/${key}`)).body.requester;

describe('contacts', () => {
  test('have addresses that belong to nobody else, user or contact', async () => {
    await addContact('One', 'one@example.com');
    const again = { name: 'Other', email: 'ONE@example.com' };
    expect((await staff.agent.call('POST', 'contacts', again)).status).toBe(409);
    const user = { name: 'Carla', email: 'carla@company.example' };
    expect((await staff.agent.call('POST', 'contacts', user)).status).toBe(409);
    expect((await staff.customer.call('GET', 'contacts')).status).toBe(403);
  });

  test('merged and taken apart again are what they were, tickets and identities included', async () => {
    const from = await addContact('Kim', 'kim@home.example', { phone_number: '+49 30 1234' });
    const into = await addContact('Kim Lee', 'kim@work.example');
    const who = profile({ name: 'Kim' });
    await link(ctx, who, { kind: 'contact', id: from }, 'admin');
    const theirs = [await file(from), await file(from)];
    const others = await file(into);
    const [fromBefore, intoBefore] = [await contact(from), await contact(into)];
    const merged = await staff.agent.call('POST', `contacts/${from}/merge`, { into });
    expect(merged.body.emails).toEqual(['kim@work.example', 'kim@home.example']);
    for (const key of [...theirs, others])
      expect(await requesterOf(key)).toMatchObject({ id: into, name: 'Kim Lee' });
    expect(await meet(ctx, who)).toMatchObject({ kind: 'contact', id: into });
    expect(await contact(from)).toMatchObject({ emails: [], merged_into_id: into });
    expect((await staff.agent.call('POST', `contacts/${from}/merge`, { into })).status).toBe(409);

    expect((await staff.agent.call('POST', `contacts/${from}/unmerge`, {})).status).toBe(200);
    const timeless = ({ updated_at: _, ...rest }: Record<string, unknown>) => rest;
    expect(timeless(await contact(from))).toEqual(timeless(fromBefore));
    expect(timeless(await contact(into))).toEqual(timeless(intoBefore));
    for (const key of theirs) expect(await requesterOf(key)).toMatchObject({ id: from, name: 'Kim' });
    expect(await requesterOf(others)).toMatchObject({ id: into });
    expect((await staff.agent.call('POST', `contacts/${from}/unmerge`, {})).status).toBe(409);
  });

  test('that two people merge into each other at the same moment are never both gone', async () => {
    for (let round = 0; round < 3; round++) {
      const pair = await Promise.all(
        ['a', 'b'].map((one) => addContact(one, `${one}${round}@cross.example`)),
      );
      const answers = await Promise.all(
        pair.map((from, at) => staff.agent.call('POST', `contacts/${from}/merge`, { into: pair[1 - at] })),
      );
      const now = await Promise.all(pair.map((id) => contact(id)));
      expect(now.some((one) => one.merged_into_id === null)).toBe(true);
      expect(now.flatMap((one) => one.emails).sort()).toEqual([
        `a${round}@cross.example`,
        `b${round}@cross.example`,
      ]);
      expect(answers.filter((one) => one.status === 409).length).toBeGreaterThan(0);
    }
  });

  test('whose merge or erasure broke off half-way are finished at the next start', async () => {
    const from = await addContact('Half', 'half@home.example');
    const into = await addContact('Half Way', 'half@work.example');
    const key = await file(from);
    const broken = await addContact('Gone Soon', 'gone@soon.example');
    const db = mongoose.connection;
    const merge = {
      company: FIRST_COMPANY,
      from,
      into,
      emails: ['half@home.example'],
      identities: [],
      tickets: [],
    };
    const begun = { ...merge, state: 'merging', by: 'x', at: new Date() };
    await db.collection('merges').insertOne({ _id: 'm1' as never, ...begun });
    const erasing = { erasing: true, erasedAt: new Date() };
    await db.collection('contacts').updateOne({ _id: broken as never }, { $set: erasing });
    for (let start = 0; start < 2; start++) {
      await finishMerges(ctx.log);
      await finishErasures(ctx.log);
    }
    expect((await contact(into)).emails).toEqual(['half@work.example', 'half@home.example']);
    expect(await contact(from)).toMatchObject({ merged_into_id: into, emails: [] });
    expect(await requesterOf(key)).toMatchObject({ id: into });
    expect(await contact(broken)).toMatchObject({ name: '[erased]', emails: [] });
    expect((await staff.agent.call('POST', `contacts/${from}/unmerge`, {})).body.emails).toEqual([
      'half@home.example',
    ]);
    expect(await requesterOf(key)).toMatchObject({ id: from });
  });

  test('erased at one company are not taken out of what was written to another', async () => {
    const id = await addContact('Paula Vandermeer', 'paula@vandermeer.example');
    const log = openLog('silent');
    const payload = { from: 'Paula Vandermeer <paula@vandermeer.example>' };
    receive('letter', async () => undefined);
    await take(log, 'letter', 'ours', payload, { company: FIRST_COMPANY });
    await take(log, 'letter', 'theirs', payload, { company: 'c'.repeat(24) });
    await settleInbox();
    await staff.admin.call('POST', `contacts/${id}/erase`, {});
    const rows = await mongoose.connection.collection('inbox').find({ kind: 'letter' }).toArray();
    expect(Object.fromEntries(rows.map((row) => [String(row._id), row.payload]))).toMatchObject({
      'letter:ours': null,
      'letter:theirs': payload,
    });
    await mongoose.connection.collection('inbox').deleteMany({ kind: 'letter' });
  });

  test('erased are gone from tickets, history and search; the tickets stay, and are still what their history says', async () => {
    const id = await addContact('Quentin Zauberberg', 'quentin@zauberberg.example', {
      phone_number: '+49 89 998877',
      notes: 'likes tea',
    });
    await staff.admin.call('POST', 'workflows', {
      ...{ name: 'Looks', when: { events: ['any'] }, then: [{ do: 'escalate' }] },
      if: { field: 'requester.email', op: 'is_empty' },
    });
    const key = await file(
      id,
      'Printer of Quentin Zauberberg',
      'Call +49 89 998877 or QUENTIN@zauberberg.example',
    );
    await staff.agent.call('POST', `tickets/${key}/comments`, {
      content: 'Wrote to quentin@zauberberg.example',
      is_internal: true,
    });
    const old = await addContact('Quentin Z.', 'q@old.example');
    await file(old, 'Older');
    await staff.agent.call('POST', `contacts/${old}/merge`, { into: id });
    await world.drain();
    expect(
      JSON.stringify(await mongoose.connection.collection('automation_runs').find().toArray()),
    ).toContain('zauberberg');
    const late = await file(id, 'Late, not filed yet');
    const again = { 'idempotency-key': 'erased-later' };
    const asked = { title: 'Asked by quentin@zauberberg.example', requester: id };
    await staff.agent.call('POST', 'tickets', asked, again);
    const log = openLog('silent');
    receive('letter', async () => undefined);
    const ours = { company: FIRST_COMPANY };
    await take(log, 'letter', 'a', { from: 'Quentin Zauberberg <quentin@zauberberg.example>' }, ours);
    await take(log, 'letter', 'b', { from: 'Somebody Else <else@example.com>' }, ours);
    await settleInbox();
    expect((await staff.agent.call('POST', `contacts/${id}/erase`, {})).status).toBe(403);
    const erased = await staff.admin.call('POST', `contacts/${id}/erase`, {});
    expect(erased.body).toMatchObject({ name: '[erased]', emails: [], phone_number: null, notes: null });
    await world.drain();
    const db = mongoose.connection;
    for (const room of [
      'tickets',
      'history',
      'contacts',
      'identities',
      'merges',
      'audit',
      'deliveries',
      'notifications',
      'inbox',
      'receipts',
      'automation_runs',
    ]) {
      const text = JSON.stringify(await db.collection(room).find().toArray());
      expect({ room, found: text.match(/zauberberg|998877|q@old|likes tea|Quentin/i)?.[0] }).toEqual({
        room,
      });
    }
    expect(await take(log, 'letter', 'a', {}, ours)).toBe(false);
    const inbox = JSON.stringify(await db.collection('inbox').find().toArray());
    expect(inbox).toContain('else@example.com');
    const replayed = await staff.agent.call('POST', 'tickets', asked, again);
    expect([replayed.status, replayed.body.title]).toEqual([201, 'Asked by [erased]']);
    const ticket = await staff.agent.call('GET', `tickets/${key}`);
    expect(ticket.body).toMatchObject({ title: 'Printer of [erased]', requester: { id, name: '[erased]' } });
    expect((await staff.agent.call('GET', 'tickets?q=zauberberg')).body.total).toBe(0);
    for (const one of [key, late]) {
      const stored = await db.collection('tickets').findOne({ key: one });
      const entries = await db
        .collection('history')
        .find({ ticket: stored?._id as never })
        .sort({ seq: 1 })
        .toArray();
      const folded = fold(entries.map((one) => unpacked(one as never))) as Record<string, unknown>;
      expect(folded.requester).toEqual(stored?.requester);
      expect(folded.title).toEqual(stored?.title);
      expect(folded.description).toEqual(stored?.description);
    }
  });
});
