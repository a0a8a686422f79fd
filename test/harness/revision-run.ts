/**
 * One chain of warnings under a seed, over PostgreSQL: updates, cancels, answers and expiries at any moment between steps and sends, and
 * while a message is being handed over.
 */
import type { Database } from '../../db/database.ts';
import type { WarningRow } from '../../db/warnings.ts';
import { FenghuoError } from '../../domain/errors.ts';
import { LEVELS } from '../../domain/levels.ts';
import type { OutgoingMessage, SendResult } from '../../domain/ports.ts';
import { CHANNELS } from '../../domain/rules.ts';
import { updateExercise, type UpdateRequest } from '../../operations/updates.ts';
import { endExercise, issueWarning } from '../../operations/warnings.ts';
import { makeDeadlinesDue, recordingChannel } from './local-cascade.ts';
import { checkEnd, checkStanding } from './revision-checks.ts';
import {
  asksAgain,
  drawsOf,
  pathOf,
  type Draws,
  type Heard,
  type Link,
  type RevisionFacts,
  type Said,
} from './revision-facts.ts';
import { householdReplies, speak } from './revision-words.ts';
import { dieOne, lapse, REPORTS, sendOne, settle, stepOne, type Working } from './revision-work.ts';
import { holdingCommit } from './slow-commit.ts';
import { anotherIncident, type SmallTree } from './small-tree.ts';

/** What was done, by its name, and how often; `faults` is empty where everything holds. */
export type RevisionResult = { done: Record<string, number>; faults: string[] };

const AREAS = [['城'], ['区'], ['乡一'], ['乡二'], ['村一'], ['组二'], ['村一', '村二'], ['乡一', '组二']];
const NESTED_MOST = 4;
/** Enough for the cells of a warning to come to rest, and for some to be passed over. */
const SLOW_STEPS_MOST = 16;
const DIED_WITH_END = 'worker dies with an end in hand';
/** What somebody is told who comes too late. */
const TOO_LATE = ['superseded', 'not-open'];

export async function runRevisions(
  database: Database,
  tree: SmallTree,
  seed: number,
): Promise<RevisionResult> {
  return new RevisionRun(database, tree, seed).live();
}

class RevisionRun implements RevisionFacts {
  private readonly database: Database;
  private readonly tree: SmallTree;
  private readonly draws: Draws;
  readonly chain: Link[] = [];
  readonly heard: Heard[] = [];
  readonly said: Said[] = [];
  readonly messages: OutgoingMessage[] = [];
  readonly arrivals = new Map<string, number>();
  private readonly done: Record<string, number> = {};
  readonly faults: string[] = [];
  private readonly channels = CHANNELS.map((channel) => ({
    ...recordingChannel(channel, (message) => this.take(message)),
    // One after the other, so that a seed stays a seed.
    concurrency: 1,
  }));
  over: 'cancelled' | 'expired' | null = null;
  /** Everything is handed over at once, and nothing comes between. */
  private calm = false;
  private nested = false;

  constructor(database: Database, tree: SmallTree, seed: number) {
    this.database = database;
    this.tree = tree;
    this.draws = drawsOf(seed);
  }

  async live(): Promise<RevisionResult> {
    await anotherIncident(this.database);
    await this.issue();
    const acts = 15 + this.draws.below(60);
    const endsAt = this.draws.below(Math.round(acts * 1.5));
    for (let act = 0; act < acts; act += 1) await (act === endsAt ? this.end() : this.act());
    this.calm = true;
    await this.rest();
    if (this.over === null) {
      this.faults.push(...(await checkStanding(this.database, this)));
      await this.end();
    }
    await this.rest();
    this.faults.push(...(await checkEnd(this.database, this)));
    return { done: this.done, faults: this.faults };
  }

  // ── what happens ────────────────────────────────────────────────────────────────────────────────────────

  private async act(): Promise<void> {
    const luck = this.draws.random();
    if (luck < 0.32) return this.step();
    if (luck < 0.66) return this.send();
    if (luck < 0.8) return this.answer();
    // Not in the middle of a send: that may hold what the answer waits for.
    if (luck < 0.82) return this.nested ? this.answer() : this.answerSlowly();
    if (luck < 0.9) return this.update();
    if (luck < 0.93) return this.twoUpdates();
    if (luck < 0.95) return this.updateAndCancel();
    if (luck < 0.965) return this.die();
    if (luck < 0.97 && this.nested) return this.end();
    this.count('deadlines due');
    await makeDeadlinesDue(this.database, this.draws.any(this.chain).warningId);
    // Not in the middle of a send: a living worker would be taken for a dead one.
    if (!this.nested) await lapse(this.working());
  }

  private async issue(): Promise<void> {
    const level = this.draws.any(LEVELS).id;
    const areas = this.draws.any(AREAS);
    const { warningId } = await issueWarning(this.database, {
      ...{ hazard: '暴雨', level, areas: pathsOf(areas), expires: '+6h', issuer: '城气象台' },
    });
    this.chain.push({ warningId, level, areas, asksAgain: true });
  }

  private async step(): Promise<void> {
    this.count('step');
    await stepOne(this.working());
  }

  private async send(): Promise<void> {
    this.count('send');
    if (!(await sendOne(this.working()))) await this.step();
  }

  /** Of the few attempts at an end one at most is lost: when all are, nobody hears of it, and that is the rule. */
  private async die(): Promise<void> {
    const lost = await dieOne(this.working(), this.done[DIED_WITH_END] === undefined);
    if (lost.length > 0) this.count(lost.some(({ over }) => over) ? DIED_WITH_END : 'worker dies');
    this.heard.push(...lost);
  }

  /** A message is in the provider's hands; before its answer comes, anything may happen. */
  private async take(message: OutgoingMessage): Promise<SendResult> {
    const luck = this.calm ? 1 : this.draws.random();
    const step = message.exercise?.step ?? '';
    const over = step.startsWith('cancel notice');
    if (luck < 0.06 && !over) return { outcome: 'later', reason: 'temporary' };
    if (luck < 0.1 && !over) return { outcome: 'failed', reason: 'rejected' };
    this.messages.push(message);
    const { address, deliveryId, attempt } = message;
    const reference = `${deliveryId}.${attempt}`;
    this.arrivals.set(reference, Date.now());
    const own = !REPORTS.some((purpose) => step.startsWith(purpose));
    this.heard.push({ warningId: Number(message.warningId), address, deliveryId, over, own, maybe: null });
    if (!this.calm && !this.nested && this.draws.random() < 0.25) {
      this.nested = true;
      for (let times = 1 + this.draws.below(NESTED_MOST); times > 0; times -= 1) await this.act();
      this.nested = false;
    }
    return luck < 0.16
      ? { outcome: 'unknown', reason: 'timeout' }
      : { outcome: 'handed off', providerId: 'p' };
  }

  // ── what is decided ─────────────────────────────────────────────────────────────────────────────────────

  private change(): UpdateRequest {
    return {
      expires: `+${2 + this.draws.below(20)}h`,
      ...(this.draws.random() < 0.5 && { level: this.draws.any(LEVELS).id }),
      ...(this.draws.random() < 0.6 && { areas: pathsOf(this.draws.any(AREAS)) }),
      ...(this.draws.random() < 0.15 && { textZh: `请转移到${this.draws.below(1_000_000)}号安置点。` }),
    };
  }

  private async update(): Promise<void> {
    const before = this.draws.random() < 0.85 ? this.newest() : this.draws.any(this.chain);
    await this.decide('update', before, [{ update: this.change() }]);
  }

  private async twoUpdates(): Promise<void> {
    await this.decide('two updates at once', this.newest(), [
      { update: this.change() },
      { update: this.change() },
    ]);
  }

  private async updateAndCancel(): Promise<void> {
    await this.decide('update and cancel at once', this.newest(), [{ update: this.change() }, 'cancel']);
  }

  private async end(): Promise<void> {
    const luck = this.draws.random();
    if (luck >= 0.35)
      return this.decide(luck < 0.6 ? 'retract' : 'cancel', this.newest(), [
        luck < 0.6 ? 'retract' : 'cancel',
      ]);
    if (this.over !== null) return;
    const { warningId } = this.newest();
    this.count('expiry');
    this.over = 'expired';
    await this.database.query('update warnings set expires_at = clock_timestamp() where id = $1', [
      warningId,
    ]);
  }

  /** Of decisions at the same moment about one warning exactly one is taken where it counts, and none where it does not. */
  private async decide(
    name: string,
    before: Link,
    decisions: readonly ('cancel' | 'retract' | { update: UpdateRequest })[],
  ): Promise<void> {
    const counts = before === this.newest() && this.over === null;
    const results = await Promise.allSettled(
      decisions.map((decision): Promise<WarningRow | null> =>
        typeof decision === 'string'
          ? endExercise(this.database, before.warningId, {
              reason: null,
              retracted: decision === 'retract',
            }).then(() => null)
          : updateExercise(this.database, before.warningId, decision.update).then(({ after }) => after),
      ),
    );
    const taken = results.filter(({ status }) => status === 'fulfilled').length;
    if (taken !== (counts ? 1 : 0)) this.faults.push(`${name} of W${before.warningId}: ${taken} were taken`);
    for (const [place, result] of results.entries()) {
      const decision = decisions[place];
      if (result.status === 'rejected') this.refuse(name, result.reason);
      else if (result.value && typeof decision === 'object') this.link(before, result.value, decision.update);
      else this.over = 'cancelled';
    }
    this.count(counts ? name : `${name}, too late`);
  }

  private link(before: Link, after: WarningRow, { areas, textZh }: UpdateRequest): void {
    const { level } = after;
    this.chain.push({
      warningId: after.warningId,
      level,
      areas: areas?.map((path) => path.split('/').at(-1) ?? '') ?? before.areas,
      asksAgain: asksAgain(before, { level, ownWords: textZh !== undefined }),
    });
  }

  private refuse(name: string, error: unknown): void {
    if (error instanceof FenghuoError && TOO_LATE.includes(error.code)) return;
    this.faults.push(`${name}: ${String(error)}`);
  }

  private async answer(): Promise<void> {
    const { database, tree, draws } = this;
    const { words, what, faults } = await speak({ database, tree, draws, facts: this });
    this.said.push(...words);
    this.faults.push(...faults);
    this.count(this.over === null ? what : `${what}, after the end`);
  }

  /** A household answers, and before that is committed the warning is replaced and stepped. The referee looks where it stands at last. */
  private async answerSlowly(): Promise<void> {
    const slow = holdingCommit(this.database);
    const { draws } = this;
    const said = householdReplies({ database: slow.database, draws, facts: this });
    await Promise.race([slow.stored, said]);
    await this.update();
    for (let times = this.draws.below(SLOW_STEPS_MOST); times > 0; times -= 1) await this.step();
    slow.commit();
    this.count(`household, slowly: ${await said}`);
  }

  // ── parts ───────────────────────────────────────────────────────────────────────────────────────────────

  private async rest(): Promise<void> {
    const settled = await settle(this.working());
    // What is open waits on: in quiet hours a calm ladder stands still, whatever is made due.
    if (!settled && this.over !== null) this.faults.push('it never comes to rest');
  }

  private working(): Working {
    const { database, draws, channels } = this;
    return { database, draws, channels, warningIds: this.chain.map(({ warningId }) => warningId) };
  }

  private newest(): Link {
    return this.chain.at(-1) as Link;
  }

  private count(what: string): void {
    this.done[what] = (this.done[what] ?? 0) + 1;
  }
}

const pathsOf = (units: readonly string[]) => units.map(pathOf);
