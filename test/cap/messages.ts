/** CAP messages for tests: one that is right, with parts to be replaced. */
export type Parts = {
  identifier?: string;
  sender?: string;
  sent?: string;
  status?: string;
  msgType?: string;
  references?: string;
  event?: string;
  severity?: string;
  headline?: string;
  description?: string;
  expires?: string;
  /** What follows areaDesc. */
  area?: string;
  /** Between the last info and the end. */
  after?: string;
};

export function message(parts: Parts = {}): string {
  const {
    identifier = 'TEST-1',
    sender = 'weather.example',
    sent = '2026-07-09T02:42:00+08:00',
    status = 'Exercise',
    msgType = 'Alert',
    references,
    event = '暴雨',
    severity = 'Extreme',
    headline = '区气象台发布暴雨红色预警信号',
    description = '未来3小时将有100毫米以上强降雨。',
    expires = '2099-07-09T08:42:00+08:00',
    area = '<geocode><valueName>division</valueName><value>500114</value></geocode>',
    after = '',
  } = parts;
  const info =
    `<info><language>zh-CN</language><category>Met</category><event>${event}</event><urgency>Immediate</urgency>` +
    `<severity>${severity}</severity><certainty>Likely</certainty><expires>${expires}</expires>` +
    `<senderName>区气象台</senderName><headline>${headline}</headline><description>${description}</description>` +
    `<area><areaDesc>黔江区</areaDesc>${area}</area></info>`;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">',
    `<identifier>${identifier}</identifier><sender>${sender}</sender><sent>${sent}</sent>`,
    `<status>${status}</status><msgType>${msgType}</msgType><scope>Public</scope>`,
    ...(references === undefined ? [] : [`<references>${references}</references>`]),
    ...(msgType === 'Cancel' ? [] : [info]),
    `${after}</alert>`,
  ].join('\n');
}
