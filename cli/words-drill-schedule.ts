/** The sentences of drills by a schedule, in English and Chinese, under the same keys. */

export const DRILL_SCHEDULE_EN = {
  'help.drillSchedule': 'drills by a schedule, times in Asia/Shanghai',
  'help.drillScheduleAdd': 'have a scenario played again and again at fixed times',
  'help.drillScheduleList': 'the schedules, their next times, and what came of the last',
  'help.drillScheduleRemove': 'end a schedule; drills that it has asked for stay',
  'help.drillScheduleNow': 'let its time come now, once',
  'help.drillServe': 'conduct the drills that schedules ask for, one after the other; `up` does it by itself',
  'help.drillCron':
    'minute, hour, day, month, day of the week by the clock of Asia/Shanghai: "0 14 * * 2" is Tuesdays at 14:00',
  'help.drillScheduleSeed': 'always this seed; without it, each drill takes its day (20261124)',
  'help.drillScheduleId': 'a schedule, such as DS1',

  'schedule.added': '{name}: {scenario} at {speed} times the speed of life. Next: {next} (Asia/Shanghai).',
  'schedule.removed': '{name} was removed.',
  'schedule.triggered': '{name}: its time has come. See npx fenghuo drill runs.',
  'schedule.none':
    'No drill is scheduled. Add one: npx fenghuo drill schedule add quickstart --cron "0 14 * * 2"',
  'schedule.noServer':
    'Nobody conducts what schedules ask for: start npx fenghuo drill serve (npx fenghuo up has it).',
  'schedule.id': 'schedule',
  'schedule.scenario': 'scenario',
  'schedule.cron': 'times',
  'schedule.next': 'next (Asia/Shanghai)',
  'schedule.lastDue': 'last',
  'schedule.lastDrill': 'drill',
  'schedule.score': 'score',
  'schedule.gone': 'unknown to Temporal: remove it and add it again',
  'schedule.missed': '{name}: {missed} times passed in outages and were not made up.',
  'skipped.actual warning': 'skipped: an actual warning was open',
  'skipped.too late': 'skipped: more than an hour late',
  'skipped.still running': 'skipped: the one before was not over',
  'skipped.not playable': 'skipped: it could not be played',

  'drillServe.started': 'Drills that schedules ask for are conducted here, one after the other.',
  'drillServe.another': 'Another process conducts them; this one stands by.',
  'drillServe.taken': '{name}: {scenario}, asked for at {due}, is conducted.',
  'drillServe.done': '{name}: {status}.',
  'drillServe.failed': '{name}: {fault} It is tried again in {seconds} seconds.',
  'notBegun.actual warning': 'not begun: an actual warning was open',
  'notBegun.too late': 'not begun: it was more than an hour late',
  'notBegun.abandoned': 'ended: nobody had conducted it for more than an hour',
} as const;

export const DRILL_SCHEDULE_ZH: Readonly<Record<keyof typeof DRILL_SCHEDULE_EN, string>> = {
  'help.drillSchedule': '定期演练,时间以 Asia/Shanghai 为准',
  'help.drillScheduleAdd': '按固定时间反复演练一个脚本',
  'help.drillScheduleList': '列出定期演练、其后各次时间及上次结果',
  'help.drillScheduleRemove': '取消定期演练;已提出的演练保留',
  'help.drillScheduleNow': '立即提出一次',
  'help.drillServe': '主持定期演练,逐个进行;up 已包含',
  'help.drillCron': '按 Asia/Shanghai 时钟写分、时、日、月、星期:"0 14 * * 2" 为每周二 14:00',
  'help.drillScheduleSeed': '固定随机种子;不写则取当天日期(20261124)',
  'help.drillScheduleId': '定期演练编号,例如 DS1',

  'schedule.added': '{name}:{scenario},{speed} 倍速。下次:{next}(Asia/Shanghai)。',
  'schedule.removed': '{name} 已取消。',
  'schedule.triggered': '{name}:已提出一次。请看 npx fenghuo drill runs。',
  'schedule.none': '没有定期演练。可以这样添加:npx fenghuo drill schedule add quickstart --cron "0 14 * * 2"',
  'schedule.noServer': '无人主持定期演练:请启动 npx fenghuo drill serve(npx fenghuo up 已包含)。',
  'schedule.id': '编号',
  'schedule.scenario': '脚本',
  'schedule.cron': '时间',
  'schedule.next': '下次(Asia/Shanghai)',
  'schedule.lastDue': '上次',
  'schedule.lastDrill': '演练',
  'schedule.score': '得分',
  'schedule.gone': 'Temporal 中没有:请取消后重新添加',
  'schedule.missed': '{name}:有 {missed} 次在中断期间错过,不再补做。',
  'skipped.actual warning': '跳过:当时有真实预警',
  'skipped.too late': '跳过:已迟于一小时',
  'skipped.still running': '跳过:上一次尚未结束',
  'skipped.not playable': '跳过:无法进行',

  'drillServe.started': '在此逐个主持定期演练。',
  'drillServe.another': '另一个进程正在主持,本进程待命。',
  'drillServe.taken': '{name}:{scenario},{due} 提出,开始主持。',
  'drillServe.done': '{name}:{status}。',
  'drillServe.failed': '{name}:{fault} {seconds} 秒后再试。',
  'notBegun.actual warning': '未开始:当时有真实预警',
  'notBegun.too late': '未开始:已迟于一小时',
  'notBegun.abandoned': '已停止:无人主持超过一小时',
};

export const DRILL_SCHEDULE_REFUSALS_ZH: Readonly<Record<string, string>> = {
  'schedule-id': '这不是定期演练编号,编号形如 DS3。npx fenghuo drill schedule list 列出全部。',
  'no-such-schedule': '没有这个定期演练。npx fenghuo drill schedule list 列出全部。',
  'schedule-cron':
    '时间写法不对:应为五栏,即分、时、日、月、星期,例如 "0 14 * * 2" 为每周二 14:00(Asia/Shanghai)。',
};
