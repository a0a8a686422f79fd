/** The sentences of drills on the real stack, in English and Chinese, under the same keys. */

export const DRILL_RUN_EN = {
  'help.drillRun':
    'play a scenario on the real stack: own schema, own senders, simulated people; nobody real is told but who agreed (--with-people)',
  'help.drillResume': 'go on with a drill whose conductor was killed or left',
  'help.drillStop': 'end a drill at once, from anywhere; everyone who was told hears that it is over',
  'help.drillRuns': 'list the drills that were run, and how they stand',
  'help.drillRemove': 'remove the schema of a drill that is over; its line and its report stay',
  'help.drillId': 'a drill, such as DR1',
  'help.drillSpeed': 'so many times as fast as life, 1 to 3600',
  'help.withPeople':
    'a CSV file (reference,agreed_on) of real people who agreed: they are told for real, at the speed of life, by the senders of FENGHUO_DRILL_ENV_FILE',

  'drillRun.begun': '{name}: {scenario} at {speed} times the speed of life. Its schema is made ready …',
  'drillRun.copied':
    '{name}: schema {schema} with {units} units, {people} people, {addresses} made-up addresses, {posts} posts, {households} households.',
  'drillRun.people':
    '{name}: {people} people who agreed are told for real, by {senders}. Everybody else is simulated.',
  'drillRun.processGone':
    '{name}: one of its processes died. The drill stands still until all are there again.',
  'drillRun.gap':
    '{name}: {seconds} seconds in which nobody conducted it are a gap; it goes on where it stood.',
  'drillRun.head': 'Drill {name}  ×{speed}  story {story}',
  'drillRun.next': 'next event in {left}',
  'drillRun.stopping': '{name}: everyone who was told hears that it is over …',
  'drillRun.left':
    '{name} stands still. Go on: npx fenghuo drill resume {name}. End it: npx fenghuo drill stop {name}.',
  'drillRun.lost':
    '{name}: the connection that makes us its only conductor was lost, so it was left. Go on: npx fenghuo drill resume {name}.',
  'drillRun.outcome': '{name}: {status}',
  'drillRun.over': '{name} is over already ({status}).',
  'drillRun.conducted':
    '{name} is being conducted by another process: watch it there. `npx fenghuo drill stop {name}` ends it.',
  'drillRun.removed': '{name}: its schema was removed.',
  'drillRun.id': 'drill',
  'drillRun.status': 'status',
  'drillRun.speed': 'speed',
  'drillRun.started': 'started (+08:00)',
  'drillStatus.preparing': 'being made ready',
  'drillStatus.running': 'running',
  'drillStatus.stopping': 'being stopped',
  'drillStatus.stopped': 'stopped',
  'drillStatus.ended': 'ended',
  'drillStatus.failed': 'failed',
  'drillStatus.standing': 'standing still',
} as const;

export const DRILL_RUN_ZH: Readonly<Record<keyof typeof DRILL_RUN_EN, string>> = {
  'help.drillRun':
    '在真实系统上演练:独立的库、独立的发送方、模拟人员;除同意参演者(--with-people)外,不通知任何真人',
  'help.drillResume': '主持进程中断或退出后,继续演练',
  'help.drillStop': '随时随地停止演练;凡被告知者都会收到停止通知',
  'help.drillRuns': '列出各次演练及其状态',
  'help.drillRemove': '删除已结束演练的数据库模式;记录与报告保留',
  'help.drillId': '演练编号,例如 DR1',
  'help.drillSpeed': '倍速,1 至 3600',
  'help.withPeople':
    '同意参演的真人名单(CSV:reference,agreed_on):按真实速度,经 FENGHUO_DRILL_ENV_FILE 中的演练专用发送方通知',

  'drillRun.begun': '{name}:{scenario},{speed} 倍速。正在准备独立的数据库模式……',
  'drillRun.copied':
    '{name}:模式 {schema},单位 {units} 个,人员 {people} 名,虚构地址 {addresses} 个,岗位 {posts} 个,住户 {households} 户。',
  'drillRun.people': '{name}:{people} 名同意参演的真人将收到真实通知(发送方:{senders})。其余人员均为模拟。',
  'drillRun.processGone': '{name}:有一个进程意外退出,演练停在原处,待全部恢复后继续。',
  'drillRun.gap': '{name}:无人主持的 {seconds} 秒记为间断,从停下之处继续。',
  'drillRun.head': '演练 {name}  ×{speed}  剧情 {story}',
  'drillRun.next': '{left} 后下一事件',
  'drillRun.stopping': '{name}:正在通知所有被告知者演练停止……',
  'drillRun.left':
    '{name} 已停在原处。继续:npx fenghuo drill resume {name};停止:npx fenghuo drill stop {name}。',
  'drillRun.lost': '{name}:主持连接中断,已退出主持。继续:npx fenghuo drill resume {name}。',
  'drillRun.outcome': '{name}:{status}',
  'drillRun.over': '{name} 已经结束({status})。',
  'drillRun.conducted': '{name} 正由另一个进程主持,请在那里查看。npx fenghuo drill stop {name} 可停止它。',
  'drillRun.removed': '{name}:数据库模式已删除。',
  'drillRun.id': '演练',
  'drillRun.status': '状态',
  'drillRun.speed': '倍速',
  'drillRun.started': '开始(+08:00)',
  'drillStatus.preparing': '准备中',
  'drillStatus.running': '进行中',
  'drillStatus.stopping': '正在停止',
  'drillStatus.stopped': '已停止',
  'drillStatus.ended': '已结束',
  'drillStatus.failed': '失败',
  'drillStatus.standing': '停在原处',
};

export const DRILL_RUN_REFUSALS_ZH: Readonly<Record<string, string>> = {
  'drill-id': '这不是演练编号,编号形如 DR12。npx fenghuo drill runs 列出全部。',
  'no-such-drill': '没有这次演练。npx fenghuo drill runs 列出全部。',
  'drill-without-people':
    '脚本所涉地方没有人任职,无人可以通知。请用 npx fenghuo people import 导入人员,或用 npx fenghuo people generate 生成。',
  'drill-people': '参演名单有错。没有启动任何服务,没有通知任何人。请改正下列各行:',
  'drill-people-none': '参演名单里没有人。没有启动任何服务。',
  'drill-people-many': '参演名单人数过多。',
  'drill-people-speed': '通知真人只能按真实速度:不写 --speed,或写 --speed 1。',
  'drill-with-people': '另一次有真人参加的演练尚未结束。演练专用发送方同一时间只供一次演练使用,请先停止它。',
  'drill-file': 'FENGHUO_DRILL_ENV_FILE 指定的演练专用发送方文件不能使用,或没有指定:',
  'drills-many':
    '同时进行的演练已达上限:PostgreSQL 的连接要留给真实预警。别的演练结束后,用 npx fenghuo drill resume 继续。',
  'drill-not-over': '演练尚未结束,请先停止它。',
  'drill-rights':
    'DATABASE_URL 的账户无权建立演练所需的模式和角色,请使用表的所有者账户(需要 createrole 和建模式的权限)。',
};
