/** Names of synthetic people, households and groups. Every name says that it is made up: 虚拟, or a number. */
import type { TierId } from '../domain/tiers.ts';
import { pick, type Draws } from './generate-draws.ts';

/** Frequent surnames; the order is no statistic. */
const SURNAMES = [
  ...'王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗高郑梁谢宋唐许韩冯邓曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢姚沈钟姜崔谭陆范汪廖石金韦贾夏付方邹熊白孟秦邱侯江尹薛阎段雷龙黎史陶贺毛郝顾龚邵万覃武钱戴严莫孔向常冉',
];
const GIVEN = [
  ...'安宁康平和顺明朗清远文博志强国华建军兴永福春生秋实夏雨冬梅立新光辉海波江涛山峰林松云飞雪晴玉兰桂芳秀英淑珍丽娟晓东思源子涵',
];

/** 陈安宁（虚拟） */
export function personName(draw: Draws): string {
  const given = pick(draw, GIVEN) + (draw() < 0.8 ? pick(draw, GIVEN) : '');
  return `${pick(draw, SURNAMES)}${given}（虚拟）`;
}

/** 017号王家（虚拟）: the number is the household's within its group. */
export function householdName(draw: Draws, number: number): string {
  return `${String(number).padStart(3, '0')}号${pick(draw, SURNAMES)}家（虚拟）`;
}

/** 第一组 … 第九十九组 */
export function groupName(number: number): string {
  const digits = [...'零一二三四五六七八九'];
  const tens = Math.floor(number / 10);
  const ones = number % 10;
  const tensWord = tens === 0 ? '' : tens === 1 ? '十' : `${digits[tens] ?? ''}十`;
  return `第${tensWord}${ones === 0 && tens > 0 ? '' : (digits[ones] ?? '')}组`;
}

const TITLES: Readonly<Record<TierId, { principal: string; deputy: string }>> = {
  city: { principal: '市应急指挥长', deputy: '市应急副指挥长' },
  district: { principal: '区县应急指挥长', deputy: '区县应急副指挥长' },
  township: { principal: '乡镇（街道）党政负责人', deputy: '乡镇（街道）应急分管负责人' },
  village: { principal: '村（居）党组织书记', deputy: '村（居）委员会委员' },
  group: { principal: '组长', deputy: '副组长' },
};

/** The title of a post; a tier that is not in the list has a general one. */
export function postTitle(tier: TierId, rank: number): string {
  const titles = TITLES[tier] ?? { principal: '主要负责人', deputy: '副职' };
  return rank === 0 ? titles.principal : titles.deputy;
}
