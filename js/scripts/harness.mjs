// Builds the page that shows every component with made-up data (tests/harness/out/index.html), for looking at.
import { build } from 'esbuild';
import { mkdirSync, writeFileSync } from 'node:fs';

const out = 'tests/harness/out';
mkdirSync(out, { recursive: true });
await build({
  entryPoints: { harness: 'tests/harness/harness.ts' },
  outdir: out,
  bundle: true,
  format: 'iife',
  target: 'es2022',
  logLevel: 'warning'
});
writeFileSync(
  `${out}/index.html`,
  '<!doctype html><html><head><meta charset="utf-8"><title>lepton-lab harness</title>' +
    '<link rel="stylesheet" href="harness.css"></head><body><script src="harness.js"></script></body></html>\n'
);
console.log(`${out}/index.html?scene=running&theme=dark&lang=zh`);
