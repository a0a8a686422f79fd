/** Stand-ins to run against: an SMTP server, an SMS gateway, and the people behind the addresses, with a ledger of their own. */
import { readFile } from 'node:fs/promises';
import { readCastLines, type Cast } from '../domain/rehearsal/cast.ts';
import { createAnswering, type AnswerWays } from './answering.ts';
import { createCrowd, type Crowd } from './crowd.ts';
import { FarSide, isTwilioSid, type FarSideCounts } from './far-side.ts';
import type { FaultPlan } from './faults.ts';
import { createGatewayPushes, type GatewayPushes } from './gateway-pushes.ts';
import { startGateway } from './gateway.ts';
import { callWays, startHttpStandIns, type HttpStandInSecrets } from './http-stand-ins.ts';
import {
  ledgerActs,
  ledgerMessages,
  ledgerRecalls,
  openLedger,
  readLedger,
  type LedgerAct,
  type LedgerMessage,
} from './ledger.ts';
import { beginLife, together, type Lives } from './lives.ts';
import { USUAL_PEOPLE, type PeopleModel } from './people.ts';
import { createPlayers, type EarlierLife, type Players } from './players.ts';
import { startSmtp } from './smtp.ts';
import type { TwilioStandIn, TwilioStandInOptions } from './twilio.ts';

export type SandboxOptions = {
  /** Where the ledger lies; made where it is missing. What is there is kept and counted. */
  directory: string;
  /** Where replies by SMS are pushed. */
  repliesUrl: string;
  /** Shared with the SMS channel and the web process. */
  secret: string;
  /** The same seed has the same people and the same faults. */
  seed: string;
  log: (line: string) => void;
  /** @default 0, a free one */
  smtpPort?: number;
  /** @default 0, a free one */
  gatewayPort?: number;
  /** The account of the Twilio beside them, where replies by it are pushed, and its port; 0 takes a free one. @default none */
  twilio?: { accountSid: string; authToken: string; inboundUrl: string; port: number };
  /** Voice gateway, loudspeakers, chat robots and ntfy, all on one port; 0 takes a free one. @default none */
  http?: { port: number; secrets: HttpStandInSecrets };
  /** Every message's text stands in the ledger too. @default only those that are asked for again */
  keepTexts?: boolean;
  /** @default none */
  faults?: FaultPlan;
  /** Of whoever is in no cast. What is left out is as in USUAL_PEOPLE. */
  model?: Partial<PeopleModel>;
  /** The file of a drill's cast, as `writeCast` wrote it. @default none */
  cast?: string;
};

export type SandboxStats = FarSideCounts & {
  /** Faults that really hit since the start, by kind, such as `sms answer lost`. */
  faultsHit: Record<string, number>;
  /** Answers still to come, and answers on their way to the web process. */
  people: { toCome: number; onTheirWay: number };
};

export type Sandbox = {
  smtpUrl: string;
  gatewayUrl: string;
  twilio: TwilioStandIn | null;
  /** Where the stand-ins of `http` are. */
  httpUrl: string | null;
  /** Of one warning, or of all. */
  stats(warningId?: string): SandboxStats;
  /** Replaces the fault plan from the next message on. */
  setFaults(plan: FaultPlan): void;
  /** Drops the answers still to come and closes everything. */
  stop(): Promise<void>;
};

/** Starts all stand-ins on 127.0.0.1. Fails where a port is taken, and leaves nothing running then. */
export async function startSandbox(options: SandboxOptions): Promise<Sandbox> {
  const { directory, seed, secret, repliesUrl, log, faults = {}, model = {} } = options;
  const cast = options.cast === undefined ? null : await readCast(options.cast);
  const ledger = openLedger(directory);
  const onAct = ({ warningId }: LedgerAct) => farSide.countAct(warningId);
  const answering = createAnswering({ ledger, repliesUrl, secret, log, onAct });
  const crowd = createCrowd({ seed, model: { ...USUAL_PEOPLE, ...model }, answering });
  const life = cast && beginLife(directory, cast.startAt);
  const players =
    cast && life && createPlayers({ cast, gaps: together(cast.gaps, life.gaps), crowd, answering });
  const farSide = new FarSide({
    ledger,
    crowd,
    players,
    seed,
    faults,
    keepTexts: options.keepTexts ?? false,
  });
  const started: { stop(): unknown }[] = [answering, ...(life ? [life] : [])];
  const stopAll = async () => {
    await Promise.all(started.map((part) => part.stop()));
    ledger.close();
  };
  try {
    const stats = () => ({ people: answering.waiting() });
    const earlier = await restore(directory, { farSide, crowd });
    // Read before anything new is taken, and taken up when all are there.
    const unfinished = players && life ? await readEarlierLife(directory, players, life) : null;
    const voice = options.http?.secrets.voice ?? '';
    const pushes = createGatewayPushes({ repliesUrl, secrets: { sms: secret, voice }, log });
    started.push(pushes);
    const gatewayPort = options.gatewayPort ?? 0;
    const gateway = await startGateway({ farSide, secret, log, stats, pushes, port: gatewayPort });
    started.push(gateway);
    const smtp = await startSmtp({ farSide, port: options.smtpPort ?? 0 });
    started.push(smtp);
    const twilio = options.twilio ? await beginTwilio({ ...options.twilio, farSide, earlier, log }) : null;
    if (twilio) started.push(twilio);
    const http = options.http ? await startHttpStandIns({ ...options.http, farSide, pushes, log }) : null;
    if (http) started.push(http);
    if (unfinished) players?.resume({ ...unfinished, waysOf: waysOfCalls(farSide, pushes) });
    return {
      smtpUrl: smtp.url,
      gatewayUrl: gateway.url,
      twilio,
      httpUrl: http?.url ?? null,
      stats: (warningId) => ({
        ...(warningId === undefined ? farSide.total : farSide.countsOf(warningId)),
        faultsHit: Object.fromEntries(farSide.faultsHit),
        ...stats(),
      }),
      setFaults: (plan) => {
        farSide.faults = plan;
      },
      stop: stopAll,
    };
  } catch (error) {
    await stopAll();
    throw error;
  }
}

async function readCast(file: string): Promise<Cast> {
  return readCastLines((await readFile(file, 'utf8')).split('\n'));
}

/** Calls of an earlier life are answered, or end, as if they still rang. */
function waysOfCalls(farSide: FarSide, pushes: GatewayPushes): (message: LedgerMessage) => AnswerWays {
  return ({ channel, messageId: callId, reference }) =>
    channel === 'voice' ? callWays(farSide, pushes, { callId, reference }) : {};
}

/** What the people of a drill were about when an earlier life ended; null where there was none. */
async function readEarlierLife(
  directory: string,
  players: Players,
  { gaps }: Lives,
): Promise<Omit<EarlierLife, 'waysOf'> | null> {
  const diedAt = gaps.at(-1)?.from;
  if (diedAt === undefined) return null;
  const recalled = new Set<string>();
  for await (const recall of ledgerRecalls(directory)) if (recall) recalled.add(recall.messageId);
  const messages: LedgerMessage[] = [];
  for await (const message of ledgerMessages(directory)) {
    if (message === null || recalled.has(message.messageId) || isTwilioSid(message.messageId)) continue;
    if (players.plays(message.channel, message.address)) messages.push(message);
  }
  const { acts } = await readLedger(directory);
  return { messages, acts, diedAt };
}

/** Loaded where it is wanted: it signs with Twilio's own library. */
async function beginTwilio(options: TwilioStandInOptions): Promise<TwilioStandIn> {
  const { startTwilio } = await import('./twilio.ts');
  return startTwilio(options);
}

/** Takes up what an earlier life left in the ledger: counts, the gateway's index, and who has answered. Gives what Twilio took. */
async function restore(
  directory: string,
  into: { farSide: FarSide; crowd: Crowd },
): Promise<LedgerMessage[]> {
  const byTwilio: LedgerMessage[] = [];
  for await (const message of ledgerMessages(directory)) {
    if (message === null) continue;
    into.farSide.remember(message);
    if (isTwilioSid(message.messageId)) byTwilio.push(message);
  }
  const open = new Map<string, LedgerAct>();
  for await (const entry of ledgerActs(directory)) {
    if (entry?.type === 'act') {
      into.farSide.countAct(entry.warningId);
      open.set(entry.actId, entry);
    } else if (entry?.type === 'result') {
      const act = open.get(entry.actId);
      if (act && typeof entry.status === 'number' && entry.status < 300) into.crowd.remember(act);
      open.delete(entry.actId);
    }
  }
  return byTwilio;
}
