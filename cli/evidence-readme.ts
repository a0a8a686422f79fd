/** What goes along with exported evidence: how to verify it without this program. */
export const EVIDENCE_README = `烽火 Fenghuo: 证据材料 / evidence

report.zh.html, report.en.html   可读、可打印的报告 / the report, to read and to print
record/*.txt                     记录,每条链一个文件 / the record, one file for each chain
facts/*.jsonl                    应答、送达、回执,按封存次序 / answers, deliveries, receipts, in the order in which they were sealed
units.jsonl, recipients.jsonl    单位与接收人(号码已遮蔽)/ units and recipients (numbers masked)
warning.json, rules.json         预警与规则包 / the warning and its rule pack
SHA256SUMS, verify.sh            核对 / to verify

── 如何核对 ──

一次完成:sh verify.sh(只需 sha256sum 或 shasum,与常见的文本工具)。手工核对(没有 sha256sum 的机器写 shasum -a 256):

1. 文件:sha256sum -c SHA256SUMS
2. 记录行:每行是“散列 上一行的散列 链 位置 时间 类别 责任人 内容”。第一个空格之后的全部文字(不含行尾)的 SHA-256 就是行首的散列:
     line=$(sed -n 3p record/acts-12.txt); printf '%s' "\${line#* }" | sha256sum
   每行第二个词等于上一行的散列;位置从 1 起连续。首行的“上一行”是空文本的散列(e3b0c442…)。
   acts-of-drafts.txt(稿件、不发布的决定、暂停)摘自不属于单个预警的链,各行只能单独核对。
3. 事实:record/facts-*.txt 的每一行写明某个文件接下来多少行(rows)及其 SHA-256:
     sed -n 1,120p facts/answers.jsonl | sha256sum
4. 封印:record/seals.txt 的行中列出各链的末尾 ["链",位置,"散列"]。
5. 锚点:封印的散列曾写到数据库之外(文件、邮件)。在保管人手中的锚点里找到同一序号的封印,散列必须相同:
     cut -d' ' -f1,4 record/seals.txt
   这一步才证明:整个记录没有在那个时间之后被重写。

── How to verify ──

All at once: sh verify.sh (needs sha256sum or shasum, and the usual text tools). By hand (shasum -a 256 where there is no sha256sum):

1. Files: sha256sum -c SHA256SUMS
2. Lines of the record: "hash, hash of the line before, chain, position, time, kind, who, content". The SHA-256 of all that stands
   behind the first space (without the end of the line) is the hash at its beginning:
     line=$(sed -n 3p record/acts-12.txt); printf '%s' "\${line#* }" | sha256sum
   The second word of each line is the hash of the line before; positions count from 1. Before the first line stands the hash of
   nothing (e3b0c442…). acts-of-drafts.txt (drafts, decisions not to send, pauses) is taken from a chain that belongs to no single
   warning: each line stands for itself.
3. Facts: each line of record/facts-*.txt says how many of the next lines of a file (rows) hash to what:
     sed -n 1,120p facts/answers.jsonl | sha256sum
4. Seals: the lines of record/seals.txt name the ends of chains as ["chain",position,"hash"].
5. Anchors: hashes of seals were written outside of the database, to a file and by e-mail. Whoever keeps them finds the seal of the
   same number there, and its hash must be the same:
     cut -d' ' -f1,4 record/seals.txt
   Only this shows that nobody has written the whole record anew since that time.
`;
