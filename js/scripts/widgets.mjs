// Bundles each widget into one ES module and one style sheet, and the dashboards' page program into another; refuses
// what is too large to load in time.
import { build } from 'esbuild';
import { mkdirSync, readFileSync } from 'node:fs';

const LARGEST_BYTES = 200_000;
const LARGEST_PAGE_BYTES = 12_000;
const out = '../lepton_lab/widgets/static';

mkdirSync(out, { recursive: true });
// Strings of the panel and the tabs: no widget says them, and a widget has to stay small.
const withoutLab = {
  name: 'without-lab-strings',
  setup({ onLoad }) {
    onLoad({ filter: /i18n[/\\](en|zh)[/\\]lab\.ts$/ }, () => ({ contents: 'export const lab = {};' }));
  }
};

const options = {
  bundle: true,
  charset: 'utf8', // Chinese as it is: half the bytes of escapes
  format: 'esm',
  target: 'es2022',
  minify: process.argv.includes('--minify'),
  metafile: true,
  logLevel: 'warning'
};
const { metafile } = await build({
  ...options,
  plugins: [withoutLab],
  entryPoints: { curve: 'src/widgets/curve.ts', studio: 'src/widgets/studio.ts' },
  outdir: out
});
const page = await build({
  ...options,
  entryPoints: { page: 'src/page/index.ts' },
  outdir: '../lepton_lab/voila/static'
});

const labKeys = [...readFileSync('src/i18n/en/lab.ts', 'utf8').matchAll(/^ {2}'([\w.]+)':/gm)].map(match => match[1]);
for (const path of Object.keys(metafile.inputs).filter(path => path.startsWith('src/') && !path.includes('i18n'))) {
  const used = labKeys.filter(key => readFileSync(path, 'utf8').includes(`'${key}'`));
  if (used.length > 0) {
    throw new Error(`${path} is part of a widget and says ${used.join(', ')}; move them out of i18n/*/lab.ts.`);
  }
}

const built = { ...metafile.outputs, ...page.metafile.outputs };
for (const [path, { bytes }] of Object.entries(built)) {
  console.log(`${path} ${(bytes / 1000).toFixed(0)} kB`);
  const largest = path in metafile.outputs ? LARGEST_BYTES : LARGEST_PAGE_BYTES;
  if (process.argv.includes('--minify') && path.endsWith('.js') && bytes >= largest) {
    throw new Error(`${path} has ${bytes} bytes; it must stay under ${largest} to load in time.`);
  }
}
