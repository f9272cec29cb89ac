// Removes everything that a build makes, so that no file of an earlier build is shipped.
import { rmSync } from 'node:fs';

for (const path of ['lib', 'tsconfig.tsbuildinfo', '../lepton_lab/labextension', '../lepton_lab/widgets/static']) {
  rmSync(path, { recursive: true, force: true });
}
