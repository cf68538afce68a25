// What is known to be due soon is looked at in its time; what is far off is left to the rounds.
import { expect, test } from '@jest/globals';
import { storeNow } from '../../src/clock.ts';
import { openAlarm } from '../../src/workers/alarm.ts';
import { until } from '../support/talk.ts';

const inMs = (ms: number) => new Date(storeNow().getTime() + ms);

test('it rings for each time, in their order and never before it, and once for what is due together', async () => {
  const rang: Date[] = [];
  const alarm = openAlarm(async () => rang.push(storeNow()));
  const times = [inMs(300), inMs(40), inMs(42)];
  for (const time of times) alarm.at(time);
  alarm.at(inMs(60_000));
  alarm.at(null);
  await until(async () => rang.length >= 2 && rang.at(-1), 5_000);
  alarm.stop();
  expect(rang.length).toBeLessThanOrEqual(3);
  expect(Number(rang[0])).toBeGreaterThanOrEqual(Number(times[1]));
  expect(Number(rang.at(-1))).toBeGreaterThanOrEqual(Number(times[0]));
});

test('what fails is tried again when something else is due, and what is past is done at once', async () => {
  let tries = 0;
  const alarm = openAlarm(async () => {
    tries++;
    throw new Error('the store is away');
  });
  alarm.at(inMs(-5_000));
  await until(() => tries === 1, 5_000);
  alarm.at(inMs(50));
  await until(() => tries === 2, 5_000);
  alarm.stop();
  expect(tries).toBe(2);
});
