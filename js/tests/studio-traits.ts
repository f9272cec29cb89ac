import type { Choices, Schemas, StudioTraits } from '../src/studio/traits';
import fixture from './fixtures/schemas.json';

const { schemas, choices } = fixture as unknown as { schemas: Schemas; choices: Choices };

/** The studio's traits as they are when it opens. */
export function studioTraits(values: Partial<StudioTraits> = {}): StudioTraits {
  return {
    step: 'data',
    locale: '',
    schemas,
    choices,
    values: { data: { name: 'digits' }, model: { name: 'cnn', options: {} }, train: {}, tune: {}, deploy: {} },
    lines: {
      data: { magic: '%lepton data digits', python: 'data = lepton.load_data("digits")' },
      model: { magic: '%lepton model cnn', python: 'model = lepton.select_model("cnn", data)' },
      train: { magic: '%lepton train --epochs 16', python: 'run = model.train(epochs=16)' },
      tune: { magic: '%lepton tune', python: 'study = model.tune()' },
      evaluate: { magic: '%lepton evaluate', python: 'report = run.evaluate()' },
      deploy: { magic: '%lepton deploy --name digits', python: 'endpoint = run.deploy(name="digits")' },
      predict: { magic: '%lepton predict digits --row 0', python: 'lepton.endpoint("digits").predict(row=0)' }
    },
    card: null,
    model_summary: null,
    run_id: '',
    summary: null,
    report: null,
    endpoint: null,
    prediction: null,
    row_fields: [],
    study: null,
    explanation: null,
    compression: null,
    only: '',
    locked: false,
    busy: '',
    loading: false,
    error: null,
    ...values
  };
}
