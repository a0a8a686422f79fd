/** `audit`: the record that stands in court, verified, exported, and anchored outside of the database. */
import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { seal } from '../db/audit-seal.ts';
import { readAnchors } from '../domain/anchors.ts';
import type { FaultKind } from '../domain/audit.ts';
import { EXIT_CODES, FenghuoError } from '../domain/errors.ts';
import { verifyAudit, type Verification } from '../operations/audit-verify.ts';
import { parseWarningId } from '../operations/warnings.ts';
import type { Context } from './context.ts';
import { example } from './example.ts';
import { readTextFile, several, wholeNumber } from './options.ts';
import { withProgress } from './progress.ts';
import { warningId as nameOf } from './shapes.ts';
import type { WordKey } from './words.ts';

const INCARNATION_MOST = 999_999_999;

const FAULT_WORDS: Readonly<Record<FaultKind, WordKey>> = {
  changed: 'audit.changed',
  missing: 'audit.missing',
  inserted: 'audit.inserted',
  'cut off': 'audit.cutOff',
  rewritten: 'audit.rewritten',
};

export function addAuditCommands(program: Command, context: Context): void {
  const audit = program.command('audit').description(context.say('help.audit'));
  audit
    .command('verify')
    .description(context.say('help.auditVerify'))
    .argument('[WARNING]', context.say('help.auditWarning'))
    .option('--anchors <FILE>', context.say('help.auditAnchors'), several)
    .option('--restored <INCARNATION>', context.say('help.auditRestored'), incarnations)
    .addHelpText(
      'after',
      example(context, 'npx fenghuo audit verify', 'npx fenghuo audit verify W12 --anchors anchors.jsonl'),
    )
    .action(async (word: string | undefined, options: { anchors?: string[]; restored?: number[] }) =>
      verify(context, word === undefined ? null : parseWarningId(word), options),
    );
  audit
    .command('export')
    .description(context.say('help.auditExport'))
    .argument('<WARNING>', context.say('help.warningId'))
    .requiredOption('--out <PLACE>', context.say('help.auditOut'))
    .addHelpText('after', example(context, 'npx fenghuo audit export W12 --out evidence-w12'))
    .action(async (word: string, options: { out: string }) =>
      exportEvidence(context, parseWarningId(word), options.out),
    );
  audit
    .command('anchor')
    .description(context.say('help.auditAnchor'))
    .addHelpText('after', example(context, 'FENGHUO_ANCHOR_FILE=anchors.jsonl npx fenghuo audit anchor'))
    .action(async () => anchor(context));
}

function incarnations(text: string, before: readonly number[] = []): number[] {
  return [...before, wholeNumber(1, INCARNATION_MOST)(text)];
}

// ── verify ──────────────────────────────────────────────────────────────────────────────────────────────────

async function verify(
  context: Context,
  warningId: number | null,
  options: { anchors?: string[]; restored?: number[] },
): Promise<void> {
  const { anchors, broken } = await gatherAnchors(context, options.anchors);
  const database = await context.database();
  const verification = await withProgress(context, context.say('audit.verifying'), (log) =>
    verifyAudit(database, {
      warningId,
      anchors,
      restores: options.restored ?? [],
      onProgress: (done) => log(context.say('audit.progress', { done })),
    }),
  );
  context.print({
    value: { ...verification, anchors: { ...verification.anchors, broken } },
    items: verification.faults,
    lines: () => [
      ...verdictLines(verification, context),
      ...(broken > 0 ? [context.say('audit.anchorsBroken', { count: broken })] : []),
    ],
  });
  const { unsealedFacts: facts } = verification;
  if (facts > 0) context.hint(context.say('audit.unsealed', { facts }));
  if (anchors.length === 0) context.hint(context.say('audit.noAnchors'));
  if (!verification.whole || broken > 0) context.exitCode = EXIT_CODES.failed;
}

type Gathered = ReturnType<typeof readAnchors>;

/** Of the files that are named; else of the configured one, where it is there. */
async function gatherAnchors(context: Context, files: readonly string[] | undefined): Promise<Gathered> {
  if (files !== undefined) {
    const read = await Promise.all(files.map(async (file) => requireAnchors(await readTextFile(file), file)));
    return {
      anchors: read.flatMap(({ anchors }) => anchors),
      broken: read.reduce((sum, { broken }) => sum + broken, 0),
    };
  }
  const none: Gathered = { anchors: [], broken: 0 };
  const { FENGHUO_ANCHOR_FILE: file } = await context.config();
  if (file === undefined) return none;
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  });
  return text === null ? none : requireAnchors(text, file);
}

function requireAnchors(text: string, file: string): Gathered {
  const read = readAnchors(text);
  if (read.anchors.length > 0) return read;
  throw new FenghuoError({
    code: 'anchors',
    refusal: 'usage',
    sentence: `${file} holds no anchor that can be read.`,
  });
}

function verdictLines(verification: Verification, context: Context): string[] {
  const { say } = context;
  const { anchors, faultCount, faults, whole, chains, lines, facts, seals } = verification;
  const verdict =
    faultCount === 0
      ? say('audit.whole', { chains, lines, facts, seals })
      : say('audit.notWhole', { faults: faultCount, lines, facts });
  const found = faults.map(({ kind, chain, place, detail }) =>
    say('audit.fault', {
      chain,
      place,
      kind: say(FAULT_WORDS[kind]),
      detail: detail === '' ? '' : ` (${detail})`,
    }),
  );
  const more = faultCount - faults.length;
  return [
    verdict,
    ...found,
    ...(more > 0 ? [say('audit.moreFaults', { count: more })] : []),
    ...(anchors.compared > 0
      ? [say('audit.anchors', { matched: anchors.matched, compared: anchors.compared })]
      : []),
    ...lostLines(verification, whole, context),
  ];
}

function lostLines(
  { anchors, faultCount, nextIncarnation }: Verification,
  whole: boolean,
  { say }: Context,
): string[] {
  const { lost } = anchors;
  const times = lost.map(({ at }) => at).sort();
  if (lost.length === 0) return [];
  return [
    say('audit.lost', { count: lost.length, from: times[0] ?? '', to: times.at(-1) ?? '' }),
    ...(whole || faultCount > 0 ? [] : [say('audit.lostNext', { incarnation: nextIncarnation ?? 0 })]),
  ];
}

// ── export ──────────────────────────────────────────────────────────────────────────────────────────────────

async function exportEvidence(context: Context, warningId: number, out: string): Promise<void> {
  const { exportFolder, exportReport } = await import('./evidence-files.ts');
  const database = await context.database();
  const id = nameOf(warningId);
  const { files, evidence } = await withProgress(
    context,
    context.say('audit.exporting', { id }),
    async (log) => {
      // What was written a moment ago goes along, sealed.
      while ((await seal(database))?.more === true);
      return out.endsWith('.html')
        ? exportReport(database, { warningId, file: out, language: context.lang })
        : exportFolder(database, { warningId, folder: out, onFile: log });
    },
  );
  const { whole } = evidence.verification;
  context.print({
    value: { warning: id, out, files, whole, verification: evidence.verification },
    lines: () => [context.say('audit.exported', { id, files: files.length, out })],
  });
  if (!out.endsWith('.html')) context.hint(context.say('audit.exportNext', { out }));
  if (whole) return;
  context.tell(context.say('audit.exportBroken'));
  context.exitCode = EXIT_CODES.failed;
}

// ── anchor ──────────────────────────────────────────────────────────────────────────────────────────────────

async function anchor(context: Context): Promise<void> {
  const { anchorsConfigured, writeAnchor } = await import('../worker/anchor.ts');
  const config = await context.config();
  if (!anchorsConfigured(config)) {
    throw new FenghuoError({
      code: 'no-anchors-configured',
      refusal: 'usage',
      sentence: 'There is nowhere to write anchors to. Set FENGHUO_ANCHOR_FILE or FENGHUO_ANCHOR_EMAIL.',
    });
  }
  const database = await context.database();
  const written = await withProgress(context, context.say('audit.sealing'), async () => {
    while ((await seal(database))?.more === true);
    return writeAnchor(database, config, 'now');
  });
  if (!written) {
    throw new FenghuoError({
      code: 'anchor-busy',
      refusal: 'conflict',
      sentence: 'Nothing was recorded yet, or another process is writing an anchor. Try again in a moment.',
    });
  }
  const { seal: number, hash, writtenTo, failed } = written;
  context.print({
    value: written,
    lines: () =>
      writtenTo.length === 0
        ? []
        : [context.say('audit.anchored', { seal: number, hash, to: writtenTo.join(', ') })],
  });
  for (const one of failed) context.tell(context.say('audit.anchorFailed', one));
  if (failed.length > 0) context.exitCode = EXIT_CODES.failed;
}
