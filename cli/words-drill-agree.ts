/** The sentences of `drill agree`, in English and Chinese, under the same keys. */

export const DRILL_AGREE_EN = {
  'help.drillAgree':
    'compare a drill with the rehearsal of its seed on its own tree, unit by unit; exit code 1 where something is unexplained',
  'agree.head':
    '{name} ({warning}): {same} of {units} units as rehearsed, {differing} differ. Tolerance {seconds} s, at this speed {minutes} minutes of the story.',
  'agree.nothing': 'No warning of {drill} has been issued yet.',
  'agree.unit': 'unit',
  'agree.cause': 'because',
  'agree.field': 'what',
  'agree.rehearsed': 'rehearsed',
  'agree.played': 'in the run',
  'agree.near': 'an answer near a deadline',
  'agree.follows': 'follows from a unit beside it',
  'agree.unexplained': 'UNEXPLAINED',
} as const;

export const DRILL_AGREE_ZH: Record<keyof typeof DRILL_AGREE_EN, string> = {
  'help.drillAgree': '将一次演练与同一种子在其组织树上的推演逐单位对照；有无法解释的差异时退出码为 1',
  'agree.head':
    '{name}（{warning}）：{units} 个单位中 {same} 个与推演一致，{differing} 个不同。容差 {seconds} 秒，按此倍速为剧情中的 {minutes} 分钟。',
  'agree.nothing': '{drill} 尚未发布任何预警。',
  'agree.unit': '单位',
  'agree.cause': '原因',
  'agree.field': '项目',
  'agree.rehearsed': '推演',
  'agree.played': '实跑',
  'agree.near': '应答临近时限',
  'agree.follows': '由相邻单位引起',
  'agree.unexplained': '无法解释',
};
