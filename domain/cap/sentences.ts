/**
 * The sentences of findings, by codes that stay the same for ever. 1xx the file and its XML, 2xx the structure, 3xx rules of the standard's
 * text, 4xx recommendations, 5xx profiles, 6xx signature and sender, 7xx what the message would mean here.
 */
type Sentence = { kind: 'error' | 'recommendation'; en: string; zh: string };

const error = (en: string, zh: string): Sentence => ({ kind: 'error', en, zh });
const recommendation = (en: string, zh: string): Sentence => ({ kind: 'recommendation', en, zh });

export const CAP_SENTENCES = {
  'CAP-101': error(
    'The message has {size} bytes; at most {most} are read.',
    '消息有 {size} 字节,最多读取 {most} 字节。',
  ),
  'CAP-102': error('The message is empty.', '消息为空。'),
  'CAP-103': error(
    'The encoding {encoding} is not read here. Write the file in UTF-8.',
    '不支持编码 {encoding},请用 UTF-8。',
  ),
  'CAP-104': error(
    'The bytes do not fit the encoding {encoding}. Declare the encoding the file really has.',
    '字节与所声明的编码 {encoding} 不符,请声明真实的编码。',
  ),
  'CAP-105': error('This is not well-formed XML: {reason}.', 'XML 格式不正确:{reason}。'),
  'CAP-106': error(
    'A document type declaration (DOCTYPE) is refused: it can pull in other files. Leave it out.',
    '拒绝文档类型声明(DOCTYPE):它能引入别的文件。请去掉。',
  ),
  'CAP-107': error(
    'The entity {name} is not one of the five of XML. Write the character itself.',
    '实体 {name} 不是 XML 自带的五个之一,请直接写字符。',
  ),
  'CAP-108': error(
    'XInclude is refused: a message stands for itself. Leave it out.',
    '拒绝 XInclude:消息不得引用别的文件。请去掉。',
  ),
  'CAP-109': error(
    'Elements are nested deeper than {most}. No CAP message needs that.',
    '元素嵌套超过 {most} 层,CAP 消息不需要这么深。',
  ),
  'CAP-110': error(
    'There are more than {most} elements. Split the message.',
    '元素超过 {most} 个,请拆分消息。',
  ),
  'CAP-111': error(
    'An element has more than {most} attributes. No CAP message needs that.',
    '元素的属性超过 {most} 个。',
  ),
  'CAP-112': error(
    'The numeric character reference is longer than any character needs.',
    '数字字符引用超出任何字符所需的长度。',
  ),
  'CAP-113': error('A comment is longer than {most} characters.', '注释超过 {most} 个字符。'),

  'CAP-201': error(
    'The root is {name}; it must be alert of CAP 1.2.',
    '根元素是 {name},应为 CAP 1.2 的 alert。',
  ),
  'CAP-202': error(
    'This is CAP {version}; only 1.2 is read. Ask the sender for {namespace}.',
    '这是 CAP {version},只读取 1.2。请发送方改用 {namespace}。',
  ),
  'CAP-203': error(
    'The namespace is "{namespace}"; it must be {wanted}.',
    '命名空间是“{namespace}”,应为 {wanted}。',
  ),
  'CAP-204': error('{name} is no element of {parent} in CAP 1.2.', 'CAP 1.2 的 {parent} 里没有元素 {name}。'),
  'CAP-205': error(
    '{name} must stand before {before}: the order is fixed.',
    '{name} 应在 {before} 之前:顺序是固定的。',
  ),
  'CAP-206': error('{parent} has no {name}.', '{parent} 缺少 {name}。'),
  'CAP-207': error('{name} may come once only.', '{name} 只能出现一次。'),
  'CAP-208': error(
    '"{value}" is no {name}; it is one of: {words}.',
    '{name} 不能是“{value}”,只能是:{words}。',
  ),
  'CAP-209': error(
    '"{value}" is no time of CAP: write 2026-07-09T02:42:00+08:00 (no Z, no fractions; UTC is -00:00).',
    '“{value}”不是 CAP 的时间:写作 2026-07-09T02:42:00+08:00(不用 Z,不带小数;UTC 写 -00:00)。',
  ),
  'CAP-210': error('{name} is no attribute of {parent}.', '{parent} 没有属性 {name}。'),
  'CAP-211': error('{name} holds text between its elements.', '{name} 的元素之间有文字。'),
  'CAP-212': error('{name} holds elements; it may hold text only.', '{name} 里有元素,只能是文字。'),
  'CAP-213': error('{name} is empty.', '{name} 为空。'),
  'CAP-214': error('"{value}" is no number.', '“{value}”不是数字。'),
  'CAP-215': error('"{value}" is no address (URI).', '“{value}”不是网址(URI)。'),
  'CAP-216': error('"{value}" is no language code such as zh-CN.', '“{value}”不是语言代码,例如 zh-CN。'),

  'CAP-301': error(
    '{name} must not hold a space, a comma, < or &: "{value}".',
    '{name} 不得含空格、逗号、< 或 &:“{value}”。',
  ),
  'CAP-302': error(
    'Scope Restricted needs a restriction that says for whom.',
    '范围为 Restricted 时要用 restriction 说明限于谁。',
  ),
  'CAP-303': error('Scope Private needs addresses.', '范围为 Private 时要有 addresses。'),
  'CAP-304': error(
    '{msgType} needs references: to which message does it belong?',
    '{msgType} 要有 references:针对哪一条消息?',
  ),
  'CAP-305': error(
    'A reference is sender,identifier,sent: "{value}".',
    'references 的每一项写作 sender,identifier,sent:“{value}”。',
  ),
  'CAP-306': error(
    'A polygon is pairs of latitude,longitude with spaces between: "{value}".',
    '多边形由空格分隔的“纬度,经度”组成:“{value}”。',
  ),
  'CAP-307': error(
    'A polygon needs at least four points; this has {count}.',
    '多边形至少四个点,这里有 {count} 个。',
  ),
  'CAP-308': error(
    "A polygon's first and last point must be the same: {first} and {last}.",
    '多边形的首尾两点应相同:{first} 与 {last}。',
  ),
  'CAP-309': error(
    '{value} is no place on Earth. CAP writes latitude,longitude; GeoJSON the other way round.',
    '{value} 不是地球上的点。CAP 写“纬度,经度”,GeoJSON 相反。',
  ),
  'CAP-310': error(
    'A circle is latitude,longitude, a space, and the radius in kilometres: "{value}".',
    '圆写作“纬度,经度 半径(公里)”:“{value}”。',
  ),
  'CAP-311': error('A ceiling needs an altitude.', '有 ceiling 时要有 altitude。'),
  'CAP-312': error('There is no such day or hour: "{value}".', '没有这个日期或时刻:“{value}”。'),
  'CAP-313': error(
    'msgType "{value}" is unknown. It is refused rather than guessed: it could be a cancel.',
    'msgType “{value}”未知。不作猜测,直接拒绝:它可能是解除。',
  ),
  'CAP-314': error(
    '{name} has {count} bytes; names of at most {most} can be kept.',
    '{name} 有 {count} 字节,最多 {most} 字节。',
  ),

  'CAP-401': recommendation('UTC should be written -00:00: "{value}".', 'UTC 应写作 -00:00:“{value}”。'),
  'CAP-402': recommendation('{msgType} has no info: it says nothing.', '{msgType} 没有 info,什么也没说。'),
  'CAP-403': recommendation('info has no area: nobody knows where.', 'info 没有 area,不知道在哪里。'),
  'CAP-404': recommendation(
    'Without language it is en-US; the text is Chinese. Write zh-CN.',
    '没有写 language 即为 en-US,而文字是中文。请写 zh-CN。',
  ),
  'CAP-405': recommendation('{name} is empty: leave it out.', '{name} 为空,可以去掉。'),
  'CAP-406': recommendation('expires lies before {name}.', 'expires 早于 {name}。'),
  'CAP-407': recommendation(
    'info has no expires: every receiver decides for itself when it ends.',
    'info 没有 expires,各接收方自行决定何时失效。',
  ),
  'CAP-409': recommendation(
    'The area "{value}" has neither geocode nor polygon nor circle: only people can read it.',
    '区域“{value}”没有 geocode、polygon 或 circle,只有人能看懂。',
  ),
  'CAP-410': recommendation('The reference to {identifier} has no time.', '对 {identifier} 的引用没有时间。'),
  'CAP-411': recommendation('{name} has blanks around it: "{value}".', '{name} 前后有空白:“{value}”。'),
  'CAP-412': recommendation(
    'It holds a signature, which was not checked: no sender with a key is known.',
    '消息带有签名,但没有核验:没有登记该发送方的公钥。',
  ),

  'CAP-501': recommendation(
    'GB/T 35965.1: the identifier is ZZZZZZDDDUUUXX_YYYYMMDDhhmmss or with _N: "{value}".',
    'GB/T 35965.1:identifier 写作 ZZZZZZDDDUUUXX_YYYYMMDDhhmmss,可加 _N:“{value}”。',
  ),
  'CAP-502': recommendation(
    'GB/T 35965.1: times are those of +08:00: "{value}".',
    'GB/T 35965.1:时间用 +08:00:“{value}”。',
  ),
  'CAP-503': recommendation('GB/T 35965.1: an info in zh-CN is wanted.', 'GB/T 35965.1:要有 zh-CN 的 info。'),
  'CAP-504': recommendation(
    'GB/T 35965.1: an eventCode such as 11B03 is wanted.',
    'GB/T 35965.1:要有 eventCode,例如 11B03。',
  ),
  'CAP-505': recommendation(
    'GB/T 35965.1: an area needs the code of its division as geocode.',
    'GB/T 35965.1:area 要有行政区划代码 geocode。',
  ),
  'CAP-521': recommendation('Google: {name} is required.', 'Google 要求有 {name}。'),
  'CAP-522': recommendation(
    'Google: event should have fewer than 35 characters; this has {count}.',
    'Google:event 应少于 35 个字符,这里有 {count} 个。',
  ),
  'CAP-523': recommendation('Google: {name} should not be Unknown.', 'Google:{name} 不应为 Unknown。'),
  'CAP-524': recommendation(
    'Google: six decimal places are enough: "{value}".',
    'Google:坐标最多六位小数:“{value}”。',
  ),

  'CAP-601': error(
    '{sender} signs its messages; this one is not signed. It is refused.',
    '{sender} 的消息都有签名,这一条没有。拒绝。',
  ),
  'CAP-602': error(
    'There must be one signature, as a child of alert. It is refused.',
    '签名只能有一个,且直接位于 alert 之下。拒绝。',
  ),
  'CAP-603': error(
    'The signature must cover the whole message (one reference, URI="", enveloped). It is refused.',
    '签名须覆盖整条消息(一个引用,URI="",enveloped)。拒绝。',
  ),
  'CAP-604': error(
    'The algorithm {value} is not accepted: RSA with SHA-256 or SHA-512.',
    '不接受算法 {value}:用 RSA 与 SHA-256 或 SHA-512。',
  ),
  'CAP-605': error(
    'The signature does not fit the key that is pinned to {sender}. It is refused.',
    '签名与 {sender} 登记的公钥不符。拒绝。',
  ),
  'CAP-606': error(
    '{sender} is not known here. If it is genuine, add it: fenghuo cap sender add.',
    '未登记发送方 {sender}。若属实,请登记:fenghuo cap sender add。',
  ),
  'CAP-607': recommendation(
    '{sender} has no key here: anybody could have written this. Add its public key.',
    '{sender} 没有登记公钥,任何人都可能冒名。请登记其公钥。',
  ),

  'CAP-701': error(
    'The hazard is not known here: event "{event}", eventCode {codes}.',
    '不认识这个灾种:event “{event}”,eventCode {codes}。',
  ),
  'CAP-702': error(
    'No level: severity is {severity} and no colour is named.',
    '没有等级:severity 为 {severity},也没有写颜色。',
  ),
  'CAP-703': recommendation(
    'The text says {colour}, severity {severity} is another level. The text counts.',
    '文字写的是{colour},severity {severity} 是另一等级。以文字为准。',
  ),
  'CAP-704': error(
    'No unit is found for the area "{area}" (geocode {codes}).',
    '区域“{area}”(geocode {codes})找不到对应单位。',
  ),
  'CAP-705': error(
    'The area "{area}" is a polygon or circle, and no shapes of units are loaded: fenghuo org shapes import FILE (GeoJSON). ' +
      'Or ask the sender for geocodes.',
    '区域“{area}”是多边形或圆,而没有导入单位边界:fenghuo org shapes import FILE(GeoJSON)。也可请发送方给出 geocode。',
  ),
  'CAP-706': error(
    'No unit whose shape is loaded lies in the area "{area}".',
    '区域“{area}”里没有已导入边界的单位。',
  ),
  'CAP-707': error('It expired at {expires}.', '已于 {expires} 失效。'),
  'CAP-708': error(
    'It holds several warnings ({names}). Send each in a message of its own.',
    '一条消息里有几个预警({names}),请分开发送。',
  ),
  'CAP-709': recommendation(
    'No open warning here came from the message it refers to ({references}): it is taken as a new one.',
    '它所引用的消息({references})在这里没有对应的有效预警,按新预警处理。',
  ),
  'CAP-710': recommendation(
    'The reference to {identifier} says {said}, the message says {sent}. It is taken all the same.',
    '对 {identifier} 的引用写 {said},原消息为 {sent}。仍按此处理。',
  ),
  'CAP-711': error(
    'The text has {count} characters; at most {most} fit.',
    '文字有 {count} 个字,最多 {most} 个。',
  ),
  'CAP-712': recommendation(
    'Without expires it ends {hours} hours after it was sent.',
    '没有写 expires,按发出后 {hours} 小时失效。',
  ),
  'CAP-713': error('{hazard} has no {level} warnings.', '{hazard}没有{level}预警。'),
  'CAP-714': error(
    'No open warning here came from the message it refers to ({references}): there is nothing to cancel.',
    '它所引用的消息({references})在这里没有对应的有效预警,没有可解除的。',
  ),
  'CAP-715': error(
    'It is {status}, and what it refers to is of another kind. It is refused.',
    '它是 {status},而所引用的预警是另一类。拒绝。',
  ),
  'CAP-716': recommendation(
    'No text in {language}: the standing text is used.',
    '没有 {language} 文字,用标准文字。',
  ),
  'CAP-717': recommendation(
    '{codes} name no unit here and are left out.',
    '{codes} 在这里没有对应单位,略去。',
  ),
  'CAP-718': recommendation(
    '{sender} has used the identifier {identifier} before. It is taken all the same.',
    '{sender} 用过 {identifier} 这个标识。仍然受理。',
  ),
  'CAP-719': recommendation(
    'Long text: headline and instruction are sent, the description is left out.',
    '文字过长:发送 headline 和 instruction,略去 description。',
  ),
  'CAP-720': error(
    'It refers to a message of {sender}: only the sender itself may update or cancel.',
    '它引用的是 {sender} 的消息:只有原发送方可以更新或解除。',
  ),
  'CAP-721': recommendation(
    'It would last longer than {days} days; it ends after {days} days.',
    '有效期超过 {days} 天,按 {days} 天处理。',
  ),
  'CAP-722': error('Nobody has taken it yet: {reason}', '还没有人受理:{reason}'),
  'CAP-723': recommendation(
    'The message before is still a draft ({draft}). Decide that one too.',
    '前一条消息还是草稿({draft}),也请处理。',
  ),
  'CAP-724': recommendation(
    'It is of another hazard than {warning}: it is taken as a new warning, and {warning} stays.',
    '灾种与 {warning} 不同:按新预警处理,{warning} 仍然有效。',
  ),
  'CAP-725': recommendation(
    'The {msgType} {identifier} came before it and says what became of it: it is kept, and goes nowhere.',
    '先收到的 {msgType} {identifier} 已说明其结果:只存档,不发出。',
  ),
} satisfies Record<string, Sentence>;
