// The import table of docs/tour.md as rules. Each comment is what a reviewer would say.
const product = 'activities|channels|cli|db|operations|runtime|sandbox|web|worker|workflows';

/** Files of `folder` may import only the folders in `allowed`, and itself. Tests may import anything. */
function only(folder, allowed, comment) {
  const others = product.split('|').filter((name) => name !== folder && !allowed.includes(name));
  return {
    name: `${folder}-imports-only-${allowed.join('-and-') || 'itself'}`,
    comment,
    severity: 'error',
    from: { path: `^${folder}/`, pathNot: '[.](test|testing)[.]ts$|/testing[.]ts$' },
    to: { path: `^(${others.join('|')})/` },
  };
}

module.exports = {
  forbidden: [
    only(
      'domain',
      [],
      'The domain decides on plain data. If it needs the database, a clock or a vendor, pass the facts in.',
    ),
    {
      name: 'domain-is-pure',
      comment:
        'No I/O in the domain: only zod, the message formatter, hashing, and what reads and signs XML text (cap/).',
      severity: 'error',
      from: { path: '^domain/', pathNot: '[.]test[.]ts$' },
      to: {
        dependencyTypes: ['npm', 'core'],
        pathNot:
          'node_modules/(zod|intl-messageformat|saxes|xml-crypto|@xmldom/xmldom)|^crypto$|^node:crypto$',
      },
    },
    {
      name: 'workflows-import-activities-as-types',
      comment: 'A value import drags I/O into the workflow sandbox: write `import type`.',
      severity: 'error',
      from: { path: '^workflows/', pathNot: '[.]test[.]ts$' },
      to: { path: `^(${product.replace('|workflows', '')})/`, dependencyTypesNot: ['type-only'] },
    },
    only(
      'activities',
      [],
      'Activities do one step over the ports of domain/store.ts; composition belongs to worker/.',
    ),
    only('operations', ['db'], 'Operations return data; the CLI and the web show it.'),
    only('channels', [], 'A channel knows one vendor and the port, nothing else.'),
    only('db', [], 'SQL knows the domain, nobody else.'),
    {
      name: 'only-db-knows-pg',
      comment: 'All SQL lives in db/: write a function there and call it.',
      severity: 'error',
      from: { pathNot: '^(db|runtime)/|[.]test[.]ts$|^test/' },
      to: { path: 'node_modules/(pg|pg-copy-streams|node-pg-migrate)/' },
    },
    only('web', ['operations', 'db'], 'The web shows and takes; what it does is an operation.'),
    only(
      'worker',
      ['activities', 'channels', 'db', 'workflows'],
      'The worker composes; it never needs the CLI or the web.',
    ),
    only('sandbox', [], 'The far side must not share code with what it checks, but the domain.'),
    only('runtime', [], 'runtime/ finds and starts servers; it knows nothing of warnings.'),
    {
      name: 'no-cycles',
      comment: 'Two files that need each other are one file, or three.',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'product-does-not-import-tests',
      comment: 'Test code stays out of the product.',
      severity: 'error',
      from: { pathNot: '[.]test[.]ts$|^test/|^bench/|/testing[.]ts$' },
      to: { path: '[.]test[.]ts$|^test/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(node_modules|docs)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.mjs', '.js'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'node'],
    },
  },
};
