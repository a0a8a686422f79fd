/**
 * What particular readers of CAP ask beyond the standard. Recommendations only: a warning that lacks them is a warning all
 * the same.
 *
 * `china`: GB/T 35965.1-2018 《应急信息交互协议 第1部分:预警信息》, as far as its public annex and real messages show it.
 * `google`: Google Public Alerts, "CAP requirements" and "CAP-Google" (developers.google.com/public-alerts, 2025).
 */
import type { CapAlert, CapInfo } from './alert.ts';
import { CHINESE_IDENTIFIER, isHazardCode } from './chinese.ts';
import { finding, type Finding } from './findings.ts';

export const PROFILES = ['plain', 'china', 'google'] as const;

export type Profile = (typeof PROFILES)[number];

export function checkProfile(profile: Profile, alert: CapAlert): Finding[] {
  switch (profile) {
    case 'plain':
      return [];
    case 'china':
      return checkChina(alert);
    case 'google':
      return checkGoogle(alert);
    default:
      return profile satisfies never;
  }
}

/** 6, 9 or 12 digits, never with a zero first. */
const DIVISION_CODE = /^[1-9]\d{5}(\d{3}){0,2}$/;

function checkChina(alert: CapAlert): Finding[] {
  const place = { line: 1, column: 1, path: '/alert' };
  const times = [alert.sent, ...alert.infos.flatMap(timesOf)];
  const areas = alert.infos.flatMap((info) => info.areas);
  const wrongTime = times.find((time) => !time.endsWith('+08:00'));
  return [
    ...(CHINESE_IDENTIFIER.test(alert.identifier)
      ? []
      : [finding('CAP-501', { ...place, path: '/alert/identifier' }, { value: alert.identifier })]),
    ...(wrongTime === undefined ? [] : [finding('CAP-502', place, { value: wrongTime })]),
    ...(alert.infos.length === 0 || alert.infos.some(({ language }) => language?.toLowerCase() === 'zh-cn')
      ? []
      : [finding('CAP-503', place)]),
    ...(alert.infos.every((info) => info.eventCodes.some(({ value }) => isHazardCode(value)))
      ? []
      : [finding('CAP-504', place)]),
    ...(areas.every((area) => area.geocodes.some(({ value }) => DIVISION_CODE.test(value)))
      ? []
      : [finding('CAP-505', place)]),
  ];
}

function timesOf(info: CapInfo): string[] {
  return [info.effective, info.onset, info.expires].filter((time) => time !== null);
}

const GOOGLE_EVENT_CHARACTERS_MOST = 34;
const GOOGLE_DECIMALS_MOST = 6;

function checkGoogle(alert: CapAlert): Finding[] {
  if (alert.msgType === 'Ack' || alert.msgType === 'Error') return [];
  const place = (path: string) => ({ line: 1, column: 1, path });
  if (alert.infos.length === 0) return [finding('CAP-521', place('/alert'), { name: 'info' })];
  return alert.infos.flatMap((info, index) => {
    const path = index === 0 ? '/alert/info' : `/alert/info[${index + 1}]`;
    const missing = (
      ['expires', 'description', 'senderName', 'headline', 'instruction', 'web'] as const
    ).filter((name) => info[name] === null);
    const unknown = (['urgency', 'severity', 'certainty'] as const).filter(
      (name) => info[name] === 'Unknown',
    );
    const precise = info.areas
      .flatMap((area) => area.polygons.flat(2))
      .find((value) => Number(value.toFixed(GOOGLE_DECIMALS_MOST)) !== value);
    return [
      ...missing.map((name) => finding('CAP-521', place(path), { name })),
      ...(info.areas.length === 0 ? [finding('CAP-521', place(path), { name: 'area' })] : []),
      ...(info.event.length > GOOGLE_EVENT_CHARACTERS_MOST
        ? [finding('CAP-522', place(`${path}/event`), { count: info.event.length })]
        : []),
      ...unknown.map((name) => finding('CAP-523', place(`${path}/${name}`), { name })),
      ...(precise === undefined ? [] : [finding('CAP-524', place(`${path}/area`), { value: precise })]),
    ];
  });
}
