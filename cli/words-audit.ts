/** The words of `audit`, in English and Chinese under the same keys; and its refusals in Chinese, by code. */

export const AUDIT_EN = {
  'help.audit': 'the record that stands in court: verify, export, anchor',
  'help.auditVerify':
    'hash the whole record again and compare it with its chains, its seals and the anchors; exit code 1 where it does not match',
  'help.auditWarning': 'number of a warning, such as W12; without it, everything',
  'help.auditAnchors':
    'a file with anchors, or with e-mails that hold them; may be given several times (default: FENGHUO_ANCHOR_FILE)',
  'help.auditRestored':
    'incarnation of a restore from a backup that you know of: anchors of the time it lost are no fault',
  'help.auditExport': 'write the evidence of a warning: report, data, and what verifies them',
  'help.auditOut': 'an empty or new folder; or a file that ends in .html, for the report alone',
  'help.auditAnchor':
    'seal the record now and write an anchor to FENGHUO_ANCHOR_FILE and FENGHUO_ANCHOR_EMAIL',
  'audit.verifying': 'verifying the record',
  'audit.progress': '{done} lines and rows',
  'audit.whole':
    'The record matches: {lines} lines in {chains} chains, {facts} facts in blocks, {seals} seals.',
  'audit.notWhole': 'The record does NOT match. Faults: {faults}, in {lines} lines and {facts} facts.',
  'audit.anchors': 'Anchors: {matched} of {compared} match.',
  'audit.anchorsBroken':
    'Anchors that cannot be read to their end: {count}. They were cut off or damaged where they are kept.',
  'audit.noAnchors':
    'Compared with no anchor: whoever owns the database could have written all of it anew. Give --anchors FILE.',
  'audit.unsealed': '{facts} facts are not sealed yet: nothing is said of them.',
  'audit.lost':
    'Lost by a restore from a backup: the seals of {count} anchors, made from {from} to {to}. What was recorded then is not here.',
  'audit.lostNext': 'If you know of that restore, say so: --restored {incarnation}',
  'audit.fault': '  {chain} {place}: {kind}{detail}',
  'audit.changed': 'changed, exchanged or put in',
  'audit.missing': 'missing',
  'audit.inserted': 'put in',
  'audit.cutOff': 'cut off',
  'audit.rewritten': 'written anew',
  'audit.moreFaults': '  … and {count} more',
  'audit.exporting': 'exporting the evidence of {id}',
  'audit.exported': 'Evidence of {id}: {out} (files: {files})',
  'audit.exportNext': 'Check it by: sh {out}/verify.sh',
  'audit.exportBroken': 'The record of this warning does not match. The report says where.',
  'audit.sealing': 'sealing the record',
  'audit.anchored': 'Seal {seal} {hash} written to: {to}',
  'audit.anchorFailed': 'Not written: {to} ({reason})',
} as const;

export const AUDIT_ZH: Record<keyof typeof AUDIT_EN, string> = {
  'help.audit': '可作证据的记录:核对、导出、锚定',
  'help.auditVerify': '重新计算整个记录的散列,与各链、封印和锚点比对;不符时退出码为 1',
  'help.auditWarning': '预警编号,如 W12;不写则核对全部',
  'help.auditAnchors': '含锚点的文件,或含锚点的邮件;可多次给出(默认:FENGHUO_ANCHOR_FILE)',
  'help.auditRestored': '您所知道的一次从备份恢复的代号:其间丢失的锚点不算不符',
  'help.auditExport': '写出一个预警的证据材料:报告、数据及核对方法',
  'help.auditOut': '新的或空的文件夹;或以 .html 结尾的文件名,只写报告',
  'help.auditAnchor': '立即封存记录,并把锚点写到 FENGHUO_ANCHOR_FILE 与 FENGHUO_ANCHOR_EMAIL',
  'audit.verifying': '正在核对记录',
  'audit.progress': '已核对 {done} 行',
  'audit.whole': '记录相符:{chains} 条链共 {lines} 行,分块封存的事实 {facts} 条,封印 {seals} 个。',
  'audit.notWhole': '记录不相符:{lines} 行、{facts} 条事实中有 {faults} 处。',
  'audit.anchors': '锚点:{compared} 个中 {matched} 个相符。',
  'audit.anchorsBroken': '有 {count} 个锚点读不完整:在保存处被截断或损坏。',
  'audit.noAnchors': '没有与任何锚点比对:掌握数据库的人可以重写全部记录。请给出 --anchors FILE。',
  'audit.unsealed': '有 {facts} 条事实尚未封存,对其不作判断。',
  'audit.lost': '{count} 个锚点所指的封印因从备份恢复而丢失,写于 {from} 至 {to}:其间的记录不在此处。',
  'audit.lostNext': '如果您知道那次恢复,请写明:--restored {incarnation}',
  'audit.fault': '  {chain} {place}:{kind}{detail}',
  'audit.changed': '被改动、调换或插入',
  'audit.missing': '缺失',
  'audit.inserted': '被插入',
  'audit.cutOff': '末尾被截断',
  'audit.rewritten': '被重写',
  'audit.moreFaults': '  ……另有 {count} 处',
  'audit.exporting': '正在导出 {id} 的证据材料',
  'audit.exported': '{id} 的证据材料:{files} 个文件,位于 {out}',
  'audit.exportNext': '核对:sh {out}/verify.sh',
  'audit.exportBroken': '该预警的记录不相符,报告中写明了位置。',
  'audit.sealing': '正在封存记录',
  'audit.anchored': '封印 {seal} {hash} 已写到:{to}',
  'audit.anchorFailed': '未能写出:{to}({reason})',
};

export const AUDIT_REFUSALS_ZH: Readonly<Record<string, string>> = {
  'folder-not-empty': '文件夹不是空的。请给出新的文件夹:新旧证据不可混在一起。',
  'no-anchors-configured': '没有写锚点的地方:请设置 FENGHUO_ANCHOR_FILE 或 FENGHUO_ANCHOR_EMAIL。',
  'anchor-busy': '另一个进程正在写锚点,请稍后再试。',
  anchors: '这个文件里没有锚点,或锚点无法读出。',
};
