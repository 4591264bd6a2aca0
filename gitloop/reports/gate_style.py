"""The style sheet of the gate's report: light and dark, narrow and wide, no file beside it."""

CSS = """
:root{color-scheme:light dark;--bg:#fcfcfb;--card:#fff;--ink:#1b1f23;--soft:#5c6670;--line:#e3e6e8;
--pass:#1a7f4b;--fail:#c4321c;--warn:#9a6700;--now:#4f76c7;--before:#8a939c;--lost:#c4321c;
--won:#1a7f4b;--both:#c9d4e8;--neither:#dcdfe2;--on:#fff;--del:#fbdcd6;--ins:#d3f0de}
@media(prefers-color-scheme:dark){:root{--bg:#14171a;--card:#1c2024;--ink:#e6e8ea;--soft:#9aa4ad;
--line:#30363c;--pass:#4cc38a;--fail:#f0745e;--warn:#e2b340;--now:#7f9fe3;--before:#7b858e;
--lost:#f0745e;--won:#4cc38a;--both:#33415c;--neither:#363c42;--on:#14171a;--del:#5a2a22;
--ins:#1d4a33}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:60rem;margin:0 auto;padding:2rem 1.25rem 4rem}
h1{font-size:1.4rem;margin:0 0 .4rem;display:flex;gap:.7rem;align-items:center;flex-wrap:wrap}
h2{font-size:1.1rem;margin:2.4rem 0 .7rem}h3{font-size:1rem;margin:0 0 .5rem}
p{margin:.25rem 0}.soft,dt,th{color:var(--soft)}.next{margin-top:.8rem}
code,.mono{font:13px/1.45 ui-monospace,"SF Mono",Menlo,Consolas,monospace}
.badge{border-radius:.4rem;padding:.15rem .7rem;color:var(--on);font-weight:650}
.badge.pass{background:var(--pass)}.badge.fail,.badge.none{background:var(--fail)}
.badge.warn{background:var(--warn)}
.card{background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:1rem 1.1rem;
margin:.8rem 0;overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th{font-weight:500;text-align:left;font-size:.85rem}td,th{padding:.35rem .6rem .35rem 0;
border-bottom:1px solid var(--line);vertical-align:top}
td:nth-child(2){min-width:13rem}
td.n,th.n{text-align:right;white-space:nowrap}tr:last-child td{border-bottom:0}
.mark{font-weight:700;width:1.4rem}.mark.pass{color:var(--pass)}
.mark.fail,.mark.error{color:var(--fail)}.mark.warn,.mark.inconclusive,.mark.stale{color:var(--warn)}
.tiles{display:flex;flex-wrap:wrap;gap:.4rem 1.6rem;margin:0 0 .8rem}.tiles div{min-width:5.5rem}
.tiles dd{margin:0;font-size:1.15rem;font-variant-numeric:tabular-nums}.tiles dt{font-size:.82rem}
svg{display:block;width:100%;min-width:30rem;height:auto;margin:.3rem 0}
svg text{font-size:12px;fill:var(--ink)}svg .axis{fill:var(--soft);font-size:11px}
.now{fill:var(--now)}.before{fill:none;stroke:var(--before);stroke-width:1.6}
.bound{stroke:var(--ink);stroke-dasharray:3 3}.base{stroke:var(--line)}
.noise{stroke:var(--soft);stroke-dasharray:2 3}
.both{fill:var(--both)}.lost{fill:var(--lost)}.won{fill:var(--won)}.neither{fill:var(--neither)}
svg .lost-text,svg .won-text{fill:var(--on);font-weight:600}
.span{stroke:var(--soft);stroke-width:2}.dot{fill:var(--soft)}
.span.fail{stroke:var(--fail)}.dot.fail{fill:var(--fail)}
.span.pass{stroke:var(--pass)}.dot.pass{fill:var(--pass)}
.key{display:flex;gap:1.1rem;flex-wrap:wrap;font-size:.82rem;color:var(--soft);margin:.3rem 0 .8rem}
.key i{display:inline-block;width:.75rem;height:.75rem;border-radius:.15rem;margin-right:.35rem;
vertical-align:-1px}
.key .now{background:var(--now)}.key .before{border:1.6px solid var(--before)}
.key .both{background:var(--both)}.key .lost{background:var(--lost)}.key .won{background:var(--won)}
.key .neither{background:var(--neither)}
details{border-top:1px solid var(--line);padding:.5rem 0}details:first-of-type{border-top:0}
summary{cursor:pointer}summary .soft{font-size:.88rem}
.texts{display:grid;gap:.8rem;grid-template-columns:repeat(auto-fit,minmax(17rem,1fr));
margin:.7rem 0 .4rem}
.texts>div{border:1px solid var(--line);border-radius:.4rem;padding:.55rem .7rem;min-width:0}
.texts .wide{grid-column:1/-1}.texts h4{margin:0 0 .25rem;font-size:.8rem;font-weight:500;
color:var(--soft)}
.text{white-space:pre-wrap;overflow-wrap:anywhere;max-height:22rem;overflow-y:auto}
del{background:var(--del);text-decoration:none}ins{background:var(--ins);text-decoration:none}
.cut{color:var(--soft);font-style:italic}
.pins{overflow-wrap:anywhere}
@media print{details>*{display:block}.card{break-inside:avoid}}
"""
