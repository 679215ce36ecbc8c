import js from '@eslint/js';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

const doubleCast =
  ':matches(TSAsExpression, TSTypeAssertion)' +
  ':matches([expression.type="TSAsExpression"], [expression.type="TSTypeAssertion"])' +
  ':matches([expression.typeAnnotation.type="TSUnknownKeyword"], [expression.typeAnnotation.type="TSAnyKeyword"])';

/** Names that exist in Node only. The packages must load in a browser; `globalThis.process?.x` stays possible. */
const nodeGlobals = ['Buffer', 'process', 'global', '__dirname', '__filename', 'require', 'module'];

export default defineConfig(
  globalIgnores([
    '**/dist/',
    '**/node_modules/',
    'coverage/',
    'out/',
    '.cache/',
    'benchmarks/',
    'scripts/consumer/',
  ]),
  js.configs.recommended,
  {
    files: ['**/*.js'],
    languageOptions: { globals: { process: 'readonly' } },
  },
  {
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-eval': 'error',
      'no-new-func': 'error',
      'no-restricted-syntax': [
        'error',
        {
          selector: doubleCast,
          message:
            'A cast through unknown or any hides a wrong type: narrow the value or mend the type.',
        },
      ],
    },
  },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: {
      parserOptions: { project: './tsconfig.json', tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      '@typescript-eslint/ban-ts-comment': [
        'error',
        { 'ts-ignore': true, 'ts-nocheck': true, 'ts-expect-error': 'allow-with-description' },
      ],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-explicit-any': 'error',
      // Types do not hold for callers in plain JavaScript: arguments are checked all the same.
      '@typescript-eslint/no-unnecessary-condition': 'off',
      // Strings here are letters of equations and names, never text with combined characters.
      '@typescript-eslint/no-misused-spread': 'off',
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true },
      ],
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
    },
  },
  {
    files: ['packages/*/src/**/*.ts'],
    rules: {
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      'no-restricted-globals': [
        'error',
        ...nodeGlobals.map((name) => ({
          name,
          message: 'Node only: the packages also run in browsers. Reach it lazily through a seam.',
        })),
      ],
    },
  },
  {
    files: ['tests/**/*.ts'],
    rules: {
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/unbound-method': 'off',
    },
  },
);
