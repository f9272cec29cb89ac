// Bundles each widget into one ES module and one style sheet; refuses a module that is too large to load in time.
import { build } from 'esbuild';
import { mkdirSync } from 'node:fs';

const LARGEST_BYTES = 200_000;
const out = '../lepton_lab/widgets/static';

mkdirSync(out, { recursive: true });
const { metafile } = await build({
  entryPoints: { curve: 'src/widgets/curve.ts', studio: 'src/widgets/studio.ts' },
  outdir: out,
  bundle: true,
  format: 'esm',
  target: 'es2022',
  minify: process.argv.includes('--minify'),
  metafile: true,
  logLevel: 'warning'
});

for (const [path, { bytes }] of Object.entries(metafile.outputs)) {
  console.log(`${path} ${(bytes / 1000).toFixed(0)} kB`);
  if (process.argv.includes('--minify') && path.endsWith('.js') && bytes >= LARGEST_BYTES) {
    throw new Error(
      `${path} has ${bytes} bytes; a widget must stay under ${LARGEST_BYTES} to load within anywidget's 2 seconds.`
    );
  }
}
