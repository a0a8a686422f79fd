/** The looks of a drill's report: readable at 360 px, wide on a desk, on paper in A4. */
export const REPORT_STYLE = `
:root{color-scheme:light;--ink:#16212b;--soft:#54626e;--line:#d3dadf;--deep:#0b6e69;--bad:#a3211a}
*{box-sizing:border-box}
body{margin:0;color:var(--ink);background:#eef1f3;font:16px/1.55 system-ui,-apple-system,"Noto Sans","Noto Sans CJK SC","PingFang SC","Microsoft YaHei",sans-serif}
main{max-width:62rem;margin:0 auto;padding:20px 14px 40px;background:#fff}
h1{font-size:1.7rem;line-height:1.25;margin:0 0 6px;overflow-wrap:anywhere}
h2{font-size:1.25rem;line-height:1.35;margin:34px 0 10px;overflow-wrap:anywhere}
h3{font-size:1.02rem;margin:26px 0 6px}
p{margin:6px 0}
header{border-bottom:3px solid var(--deep);padding-bottom:12px}
.kind{margin:0;color:var(--deep);font-weight:700;letter-spacing:.06em}
.note{color:var(--soft);font-size:.88rem}
.source{margin-top:10px;padding:8px 12px;background:#fff6e0;border-left:4px solid #b98900}
.lead{font-size:1.12rem;font-weight:600}
.card{margin-top:22px;padding:14px 16px;border:1px solid var(--line);border-radius:8px}
.score{display:grid;grid-template-columns:10rem 1fr;gap:4px 22px;align-items:start}
.score h2,.score h3{margin-top:0}
.score>*{min-width:0}.score>.note{grid-column:1/-1}
.sides{display:grid;grid-template-columns:1fr 1fr;gap:4px 22px}.sides h2{margin-top:0}.side{min-width:0;overflow-wrap:anywhere}
.ring{width:9.2rem;height:9.2rem;display:block}
.ring .big{font-size:38px;font-weight:700;fill:var(--ink)}
.ring .small{font-size:13px;fill:var(--soft)}
.scroll{overflow-x:auto;margin:8px 0}
table{border-collapse:collapse;width:100%;font-size:.9rem}
th,td{padding:5px 8px;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
th{color:var(--soft);font-weight:600;border-bottom:2px solid var(--ink);white-space:nowrap}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.wide{min-width:6rem}
.total td{font-weight:700;border-bottom:0;border-top:2px solid var(--ink)}
.bar{width:100%;min-width:5rem;max-width:14rem;height:.62rem;display:inline-block;vertical-align:middle}
.share{display:flex;gap:8px;align-items:center}.share .bar{flex:1 1 auto;min-width:3rem}
td b,.level{white-space:nowrap}
.level{display:inline-block;padding:0 .55em;border-radius:4px;font-size:.85em;color:#fff;background:#333}
.level.red{background:#a80000}.level.orange{background:#ff9d1e;color:#000}.level.yellow{background:#ffd900;color:#000}.level.blue{background:#003f87}
.warning{border-top:3px solid var(--ink);margin-top:38px}
.warning>h2{margin-top:18px}
h2 small{color:var(--soft);font-weight:400;font-size:.8em}
td small{display:block;color:var(--soft)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(7.6rem,1fr));gap:10px;margin:14px 0}
.tile{border:1px solid var(--line);border-radius:8px;padding:8px 10px;display:flex;flex-direction:column}
.tile b{font-size:1.45rem;line-height:1.2;font-variant-numeric:tabular-nums}
.tile span{font-size:.9rem}.tile small{color:var(--soft)}
.tile.bad{border-color:var(--bad)}.tile.bad b{color:var(--bad)}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(19rem,100%),1fr));gap:12px 20px}
figure{margin:0}
figcaption{font-size:.88rem}figcaption span{color:var(--soft)}
.chart{width:100%;height:auto;display:block}
.chart text{font-size:10.5px;fill:var(--soft)}
.grid{stroke:#8a949c;stroke-width:.5;stroke-dasharray:1 3}.tick{stroke:#8a949c}
.curves{max-width:32rem}
.keys{display:flex;flex-wrap:wrap;gap:2px 16px;font-size:.86rem}
.keys span{white-space:nowrap;color:var(--ink)}
.key{width:18px;height:12px;vertical-align:-1px}
.verdicts{list-style:none;margin:0;padding:0}
.verdicts li{display:grid;grid-template-columns:8rem 1fr;gap:10px;padding:6px 0;border-bottom:1px solid var(--line)}
.verdicts i{color:var(--soft);font-style:normal}
.met b{color:var(--deep)}.unmet b{color:var(--bad)}
footer{margin-top:36px;padding-top:10px;border-top:1px solid var(--line);color:var(--soft);font-size:.84rem}
@media(max-width:34rem){.score{grid-template-columns:1fr}.ring{width:7.6rem;height:7.6rem}.verdicts li{grid-template-columns:1fr;gap:0}h1{font-size:1.4rem}th,td{padding:4px 6px}.score th,.score td{padding:4px 3px}.score .wide{min-width:0;padding:0}.score .wide .bar{display:none}}
@page{size:A4;margin:13mm}
@media print{body{background:#fff;font-size:11pt;-webkit-print-color-adjust:exact;print-color-adjust:exact}main{max-width:none;padding:0}.scroll{overflow:visible}table{font-size:.74rem}th,td{padding:3px 4px}
tr,figure,.tile,.card,.verdicts li,.whole{break-inside:avoid}h2,h3,.keys{break-after:avoid}thead{display:table-header-group}.warning{break-before:auto}.charts{grid-template-columns:1fr 1fr}}
`;
