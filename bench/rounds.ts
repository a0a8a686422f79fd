/** One round: a warning through the engine, or the same messages through a rival, timed alike from the far side's ledger. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Channel } from '../domain/rules.ts';
import { readRulePack } from '../operations/rule-packs.ts';
import { issueWarning } from '../operations/warnings.ts';
import { waitUntil } from '../runtime/processes.ts';
import type { Verdict } from './bench.ts';
import { cpuBetween } from './cpu.ts';
import type { Rival } from './rivals/rival.ts';
import type { Site } from './site.ts';

/** Times in seconds, from the clock of this machine; counts from the far side's ledger. */
export type Run = {
  /** Milliseconds since 1970. */
  startedAt: number;
  /** From the issue's commit, or from the first job that is put into a queue, to the last message. */
  total: number;
  /** From the same moment to the first message. */
  opening: number;
  /** From the first message to the last. */
  sending: number;
  messages: number;
  /** Messages beyond one for each delivery. */
  duplicates: number;
  /** Seconds of CPU by process, until the bench had seen the last message; a rival's include making its texts beforehand. */
  cpu: Record<string, number>;
};

const ROUND_DEADLINE_MS = 120_000;

/** A rule pack whose every message goes by one channel; else it is the default one. Gives back its file. */
export async function rulePackBy(site: Site, channel: Channel): Promise<string> {
  const pack = await readRulePack();
  const by = [channel] as [Channel];
  const red = {
    ...pack.levels.red,
    ladder: pack.levels.red.ladder.map((rung) => ({ ...rung, by: rung.by.length > 0 ? by : [] })),
    digest: { ...pack.levels.red.digest, by },
    endReport: { ...pack.levels.red.endReport, by },
    // Every round is a first one.
    repeated: undefined,
  };
  const file = join(site.installation.services.dataDirectory, `by-${channel}.yaml`);
  // JSON is YAML.
  await writeFile(file, JSON.stringify({ ...pack, id: `bench-${channel}`, levels: { ...pack.levels, red } }));
  return file;
}

/** Issues a red warning and waits for its messages; then ends it, so that no later rung meets the next round, and judges it. */
export async function engineRound(
  site: Site,
  input: { city: string; channel: Channel; messages: number; rulePackFile: string },
): Promise<{ run: Run; verdict: Verdict }> {
  const { channel, messages } = input;
  const before = await site.cpu();
  const { warningId } = await issueWarning(site.database, {
    hazard: '暴雨',
    level: 'red',
    areas: [input.city],
    expires: '+6h',
    issuer: '演练气象台',
    rulePackFile: input.rulePackFile,
  });
  const warning = String(warningId);
  await site.untilTaken({ warning, channel, messages, deadlineMs: ROUND_DEADLINE_MS });
  const cpu = cpuBetween(before, await site.cpu());
  const [issued] = await site.database.query<{ at: number }>(
    'select (extract(epoch from issued_at) * 1000)::float8 as at from warnings where id = $1',
    [warningId],
  );
  const run = await readRun(site, { warning, channel, startedAt: issued?.at ?? NaN, cpu });
  await endWarning(site, warningId);
  return { run, verdict: await site.judge(warningId) };
}

/** Sends the same messages by a rival. */
export async function rivalRound(
  site: Site,
  rival: Rival,
  input: { channel: Channel; messages: number; word: string },
): Promise<Run> {
  const before = await site.cpu({ rival: rival.pid });
  const { startedAt } = await rival.round(input.word);
  await site.untilTaken({ ...input, warning: input.word, deadlineMs: ROUND_DEADLINE_MS });
  const cpu = cpuBetween(before, await site.cpu({ rival: rival.pid }));
  return readRun(site, { ...input, warning: input.word, startedAt, cpu });
}

async function readRun(
  site: Site,
  input: { warning: string; channel: Channel; startedAt: number; cpu: Run['cpu'] },
): Promise<Run> {
  const ledger = await site.ledger(input.warning);
  const first = Date.parse(ledger.firstAt ?? '');
  const last = Date.parse(ledger.lastAt ?? '');
  const messages = ledger.messages[input.channel];
  return {
    startedAt: input.startedAt,
    total: (last - input.startedAt) / 1000,
    opening: (first - input.startedAt) / 1000,
    sending: (last - first) / 1000,
    messages,
    duplicates: messages - ledger.deliveries.size,
    cpu: input.cpu,
  };
}

/** Lets a warning expire at once, so that no later rung meets the next one, and waits until all its cells are closed. */
export async function endWarning(site: Site, warningId: number): Promise<void> {
  await site.database.transaction(async (sql) => {
    // A moment ahead: an end that lies before its own commit would make sends late that could not know of it.
    await sql.query(
      `update warnings set expires_at = clock_timestamp() + interval '1 second' where id = $1`,
      [warningId],
    );
    await sql.query(
      `update cells set next_deadline = clock_timestamp() + interval '1 second' where warning_id = $1`,
      [warningId],
    );
  });
  await waitUntil(
    async () => {
      const [left] = await site.database.query<{ open: number }>(
        `select count(*)::int as open from cells where warning_id = $1 and status = 'open'`,
        [warningId],
      );
      return left?.open === 0;
    },
    { deadlineMs: ROUND_DEADLINE_MS, what: `the cells of W${warningId} to close` },
  );
}
