// Removes everything that a build makes, so that no file of an earlier build is shipped.
import { rmSync } from 'node:fs';

const built = ['labextension', 'widgets/static', 'voila/static'].map(path => `../lepton_lab/${path}`);
for (const path of ['lib', 'tsconfig.tsbuildinfo', ...built]) {
  rmSync(path, { recursive: true, force: true });
}
