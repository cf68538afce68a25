import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { openSlackDesk, type SlackDesk } from '../support/slack-desk.ts';

let desk: SlackDesk;
beforeAll(async () => {
  desk = await openSlackDesk();
}, 60_000);
afterAll(() => desk?.close());

describe('/ticket', () => {
  test('with words opens the form with them as its title, and filing it tells who asked', async () => {
    const { people, ana, requests } = desk;
    const view = await desk.form(() => people.slash(ana, requests, 'The printer &amp; the scanner burn'));
    expect(JSON.stringify(view)).toContain('The printer & the scanner burn');

    const submitted = await people.submit(ana, view, {
      title: 'The printer burns',
      description: 'Smoke *everywhere*',
      priority: 'high',
    });
    expect(submitted).toMatchObject({ status: 200, text: '' });
    await desk.settle();
    const [ticket] = await desk.tickets();
    expect(ticket).toMatchObject({
      key: 'TKT-000001',
      title: 'The printer burns',
      priority: 'high',
      channel: 'slack',
    });
    expect(desk.told(ana)).toContain('TKT-000001');
  });

  test('a field left wrong is told at the field and nothing is filed', async () => {
    const { people, ana, requests } = desk;
    const view = await desk.form(() => people.slash(ana, requests, ''));
    const before = (await desk.tickets()).length;
    const answer = await people.submit(ana, view, { title: '   ' });
    expect(answer.json).toMatchObject({ response_action: 'errors', errors: { title: expect.any(String) } });
    await desk.settle();
    expect(await desk.tickets()).toHaveLength(before);
  });

  test('help, list, show and mine answer the one who asked and nobody else', async () => {
    const { people, ana, mei, requests } = desk;
    for (const words of ['help', 'list', 'show TKT-1', 'mine']) {
      const answered = await people.slash(ana, requests, words);
      expect(answered).toMatchObject({ status: 200, text: '' });
    }
    await people.slash(mei, requests, 'queue');
    await desk.settle();
    const told = desk.told(ana);
    expect(told).toContain('/ticket show');
    expect(told).not.toContain('/ticket claim');
    expect(told).toContain('Open tickets');
    expect(desk.told(mei)).toContain('Waiting to be taken');
    expect(desk.read(requests)).toHaveLength(0);
  });

  test('away, back, oncall and why are said and answered in chat; a title that begins like them is a title', async () => {
    const { people, ana, mei, requests } = desk;
    for (const words of ['away 2d', 'away 2 moons', 'back', 'oncall', 'why TKT-1']) {
      await people.slash(mei, requests, words);
      await desk.settle();
    }
    await people.slash(ana, requests, 'why TKT-1');
    await desk.settle();
    const told = desk.told(mei);
    expect(told).toMatch(/You are away until \d{4}-\d\d-\d\d \d\d:\d\d UTC: no new tickets for you\./);
    expect(told).toContain('Say: away, how long');
    expect(told).toMatch(/Welcome back\. You have \d+ open ticket/);
    expect(told).toContain('No team has an on-call rota.');
    expect(told).toContain(
      'TKT-000001 would stay where it is. The tickets of this desk are given out by hand.',
    );
    expect(desk.told(ana)).toContain('Only agents see how tickets are given out');
    const view = await desk.form(() => people.slash(ana, requests, 'back door does not open'));
    expect(JSON.stringify(view)).toContain('back door does not open');
  });

  test('claim, priority, status, note, reply, resolve and reopen work a ticket through', async () => {
    const { people, mei, ana, requests } = desk;
    for (const words of [
      'claim TKT-1',
      'priority TKT-1 P1',
      'status TKT-1 pending',
      'note TKT-1 she is &lt;b&gt;angry&lt;/b&gt;',
      'reply TKT-1 We are *on it*',
      'resolve TKT-1 water',
    ]) {
      await people.slash(mei, requests, words);
      await desk.settle();
    }
    const [ticket] = await desk.tickets();
    expect(ticket).toMatchObject({ status: 'resolved', priority: 'critical', resolution_notes: 'water' });
    await people.slash(ana, requests, 'reopen TKT-1 it burns again');
    await desk.settle();
    expect((await desk.tickets())[0]).toMatchObject({ status: 'reopened' });
    expect(desk.told(mei)).toContain('TKT-000001 is critical now.');
    expect(desk.told(ana)).not.toContain('angry');
  });

  test('what is not theirs to do is refused to them alone', async () => {
    const { people, ana, requests } = desk;
    await people.slash(ana, requests, 'claim TKT-1');
    await desk.settle();
    expect(desk.told(ana)).toContain('Only agents claim tickets.');
  });

  test('the same command delivered twice has one effect', async () => {
    const { people, mei, requests } = desk;
    const body = new URLSearchParams({
      team_id: desk.team.id,
      channel_id: requests.id,
      user_id: mei.id,
      command: '/ticket',
      text: 'note TKT-1 only once',
      trigger_id: '1.2.3',
      response_url: `${desk.slack.state.url}/response/none`,
    }).toString();
    const all = await Promise.all([
      people.post('form', body),
      people.post('form', body),
      people.post('form', body),
    ]);
    expect(all.map((one) => one.status)).toEqual([200, 200, 200]);
    await desk.settle();
    const { body: comments } = await desk.world.call('GET', '/api/v1/tickets/TKT-000001/comments', {
      as: await desk.world.admin(),
    });
    const same = comments.items.filter((one: { content: string }) => one.content === 'only once');
    expect(same).toHaveLength(1);
  });
});
