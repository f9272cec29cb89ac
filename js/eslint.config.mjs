import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['lib', 'node_modules', '.yarn', 'coverage', 'tests/harness/out'] },
  ...tseslint.configs.strict,
  {
    rules: {
      'no-restricted-properties': [
        'error',
        { property: 'innerHTML', message: 'Labels are data: build elements and set text.' },
        { property: 'outerHTML', message: 'Labels are data: build elements and set text.' },
        { property: 'insertAdjacentHTML', message: 'Labels are data: build elements and set text.' }
      ],
      eqeqeq: 'error',
      '@typescript-eslint/no-extraneous-class': 'off',
      '@typescript-eslint/consistent-type-imports': 'error'
    }
  }
);
