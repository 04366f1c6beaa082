"""How the report looks: light and dark as the reader has it, on paper, and on a narrow screen."""

from __future__ import annotations

from tui.report.html import Html

# colours that people with any colour vision tell apart (Okabe and Ito 2008), darkened for a white page
STYLE = Html("""
:root{color-scheme:light dark;--back:#fff;--text:#1c2024;--soft:#5b6470;--line:#dfe3e8;--card:#f6f7f9;
--c0:#0060a8;--c1:#b34a00;--c2:#00785a;--c3:#a03878;--good:#00785a;--bad:#b3261e;--warn:#8a5a00}
@media (prefers-color-scheme:dark){:root{--back:#14171a;--text:#e6e9ec;--soft:#9aa4b0;--line:#2e343b;
--card:#1c2126;--c0:#56b4e9;--c1:#e69f00;--c2:#2fc79a;--c3:#e48fc0;--good:#2fc79a;--bad:#ff8a80;--warn:#f0c05a}}
*{box-sizing:border-box}
body{margin:0 auto;padding:2rem 1.25rem 4rem;max-width:70rem;background:var(--back);color:var(--text);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif;overflow-wrap:break-word}
h1{font-size:1.6rem;margin:0 0 .25rem}h2{font-size:1.15rem;margin:2.5rem 0 .75rem;padding-bottom:.25rem;
border-bottom:1px solid var(--line)}h3{font-size:1rem;margin:1.25rem 0 .25rem}
p{margin:.25rem 0}.soft{color:var(--soft)}.good{color:var(--good)}.bad{color:var(--bad)}.warn{color:var(--warn)}
.tag{border:1px solid var(--line);border-radius:1rem;padding:0 .6rem;margin-right:.3rem;font-size:.85rem}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(10.5rem,1fr));gap:.6rem;margin-top:1rem}
.card{background:var(--card);border-radius:.5rem;padding:.5rem .75rem}
.card b{display:block;font-size:1.15rem;font-variant-numeric:tabular-nums;font-weight:600}
.grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(26rem,100%),1fr));gap:1rem}
figure{margin:0 0 .5rem;min-width:0}figcaption{font-size:.9rem;color:var(--soft)}
figure>svg{display:block;width:100%;height:auto}
svg text{fill:var(--soft);font:11px system-ui,sans-serif}svg .mid{text-anchor:middle}svg .end{text-anchor:end}
.axis{stroke:var(--line);stroke-width:1;fill:none}.guide{stroke:var(--soft);stroke-dasharray:2 4;fill:none}
.mark{stroke:var(--warn);stroke-dasharray:4 3;fill:none}
.curve{fill:none;stroke-width:1.8;stroke-linejoin:round;stroke-linecap:round}.band{stroke:none;opacity:.22}.faint{opacity:.35;stroke-width:1}
.s0{stroke:var(--c0)}.s1{stroke:var(--c1)}.s2{stroke:var(--c2)}.s3{stroke:var(--c3)}
.f0{fill:var(--c0)}.f1{fill:var(--c1)}.f2{fill:var(--c2)}.f3{fill:var(--c3)}
.t0{color:var(--c0)}.t1{color:var(--c1)}.t2{color:var(--c2)}.t3{color:var(--c3)}
svg .star{fill:var(--good);font-size:15px;text-anchor:middle}
.d1{stroke-dasharray:7 4}.d2{stroke-dasharray:2 3}.d3{stroke-dasharray:9 3 2 3}
.wide{overflow-x:auto}table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:.2rem .8rem .2rem 0;border-bottom:1px solid var(--line);vertical-align:top}
tbody th{font-weight:400;color:var(--soft)}thead th{font-weight:600}tr.set td,td.set{font-weight:600}
code,pre{font:13px/1.45 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
pre{background:var(--card);border-radius:.5rem;padding:.75rem;white-space:pre-wrap;margin:.5rem 0}
details{margin:.75rem 0}summary{cursor:pointer;color:var(--c0)}
.answers{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(17rem,100%),1fr));gap:0 1.5rem}
.bar{display:inline-block;height:.65em;background:var(--c0);border-radius:2px;margin-right:.4rem}
@media print{body{max-width:none;padding:0}details{display:none}figure,.card{break-inside:avoid}}
""")
