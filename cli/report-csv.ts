/** The people to follow up after a drill, as CSV for a spreadsheet: numbers masked, nothing in it is a formula. Pure. */
import type { FollowUpLine } from '../operations/drill-reports.ts';
import { writeCsv } from '../operations/organisation-csv.ts';
import { channelName, tierWord, type Words } from './report-parts.ts';
import type { WordKey } from './words.ts';

/** Spreadsheets take a file without it for one of the country's old encoding. */
const BYTE_ORDER_MARK = '\ufeff';

export function followUpCsv(lines: readonly FollowUpLine[], words: Words): string {
  const { say } = words;
  const head = [
    say('followUp.warning'),
    say('followUp.reason'),
    say('followUp.channels'),
    say('tier.tier'),
    say('report.unit'),
    say('report.above'),
    say('unit.code'),
    say('followUp.post'),
    say('followUp.person'),
    say('followUp.address'),
    say('followUp.basis'),
  ];
  const rows = lines.map((line) => [
    line.warning,
    say(`followUp.${line.reason}`),
    line.channels.map((channel) => channelName(channel, words)).join(' / '),
    tierWord(line.tier, words),
    line.unit,
    line.above,
    line.key,
    line.person?.title ?? rankWords(line.rank, words),
    line.person?.name ?? '',
    line.person?.addresses.join(' / ') ?? '',
    say(basisOf(line)),
  ]);
  return BYTE_ORDER_MARK + writeCsv([head, ...rows]);
}

function rankWords(rank: number | null, { say }: Words): string {
  if (rank === null) return '';
  return rank === 0 ? say('followUp.principal') : say('followUp.deputy', { rank });
}

/** Why somebody stands there: only to real people something has happened. */
function basisOf({ person }: FollowUpLine): WordKey {
  if (person === null) return 'followUp.drawn';
  return person.synthetic ? 'followUp.simulated' : 'followUp.recorded';
}
