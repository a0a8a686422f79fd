/**
 * What mainland gateways report of a message after they took it: the carrier's code, and the class it stands for.
 *
 * Sources: Tencent Cloud, "Error Codes for Status Report" of SMS, and the receipt codes (推送回执相关错误码) of its voice
 * messages, document 1128/37531; Huawei Cloud, "SMS Status Error Codes"; Aliyun, SmsReport. Carriers say much in one code: one that
 * means an invalid number or a handset that is off is taken for the latter, because a number marked as bad is written to no more.
 */
import { isArrival, isFailure, parseReference, RECEIPT_STATES, type Receipt } from '../domain/receipts.ts';
import type { ResultClass } from '../domain/results.ts';

type Row = readonly [code: RegExp, reason: ResultClass];

/** The first row that matches decides. Codes come in capitals, some with spaces or with a gateway's own number behind them. */
const SMS: readonly Row[] = [
  [
    /^(MK:?0{3,4}[01]|MK:?0*12|MI:0010|MK:0003|XL:169|TA:169|ERR_?NUM|PHONEERR|GUNDELIV|24|1)$/,
    'bad-contact',
  ],
  [/^(MX:0012|TUIDING|UNSUBSCRIBE)$/, 'opted-out'],
  // Blacklists of a gateway or a carrier hold for this sender.
  [
    /^(MX:0011|MB:1077|DB:?0*14[14]|DB:0164|TD:0001|TD:19|HD:19|TC:0001|BW?LIST|BLACK|BLOCKED|PUBLOKD|HIGRISK)$/,
    'other-sender',
  ],
  [/^(NOROUTE|NONCHN|MX:0002|TE:0002|TD:18)$/, 'other-sender'],
  [/^(KEYWORDS?|ID:0076|TC:0007|TD:0004|TE:0014)$/, 'filtered'],
  [/^(SIGNBLOCKED|SIGFAIL|QM_FAIL|NOSEND|NOTITLE)$/, 'config'],
  [/^(MX:0003|TE:0003|BEYOND[MHD]|MB:1026|MB:1042)$/, 'throttled'],
  [/^(MK:0017|MC:0055|MB:1031|MI00022)$/, 'mailbox-full'],
  [/^(EXPIRED|MI00000)$/, 'validity-passed'],
  [/^(UNDELIV|UNDELIVRD)$/, 'handset-off'],
  [/^(M[KNI]:?\d{4,5}|IC:0001|IB:0064|5|10|12|29)$/, 'handset-off'],
  [/^(REJECTD?|REJECTED)$/, 'rejected'],
  [/^(DELETED|UNKNOWN?|MC:?0*(1|151)|ACCEPTD)$/, 'carrier-unknown'],
];

const VOICE: readonly Row[] = [
  [/^(8|15|17)$/, 'bad-contact'], // no such number, no longer in use
  [/^(1|3|4|6|7|13)$/, 'handset-off'], // off, no signal, out of credit, not reachable, suspended
  [/^(2|5|10|16|20)$/, 'not-answered'], // busy, not taken, call alert
  [/^(9|18)$/, 'temporary'], // lines or network busy
  [/^12$/, 'other-sender'], // the caller may not call this number
  [/^19$/, 'rejected'], // no voice service
  [/^11$/, 'not-answered'],
];

const TABLES = {
  'sms-gateway': { rows: SMS, unlisted: 'carrier-unknown' },
  // The person did not hear it, whatever the word for it.
  'voice-gateway': { rows: VOICE, unlisted: 'not-answered' },
} as const satisfies Record<string, { rows: readonly Row[]; unlisted: ResultClass }>;

export type GatewaySender = keyof typeof TABLES;

/** The class of a carrier's code for a message that failed; one that is not listed is tried once more, or is a call not taken. */
export function receiptClass(sender: GatewaySender, code: string | null): ResultClass {
  const { rows, unlisted } = TABLES[sender];
  const plain = (code ?? '')
    .toUpperCase()
    .replaceAll(' ', '')
    .replace(/_\d{3}$/, '');
  return rows.find(([pattern]) => pattern.test(plain))?.[1] ?? unlisted;
}

/** The receipt of a pushed report; null where its reference is none of ours or its state is unknown. */
export function gatewayReceipt(report: {
  id: string;
  reference: string;
  state: string;
  code: string | null;
  sender: GatewaySender;
}): Receipt | null {
  const reference = parseReference(report.reference);
  const state = RECEIPT_STATES.find((one) => one === report.state);
  if (!reference || !state) return null;
  return {
    ...reference,
    state,
    code: isArrival(state) ? null : report.code,
    reason: isFailure(state) ? receiptClass(report.sender, report.code) : null,
    sender: report.sender,
    providerId: null,
  };
}
