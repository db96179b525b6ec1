/**
 * `npm run bench:decisions -- NAME ...`: the figures of docs/adr and docs/regions.md, all of them
 * or those named.
 */

const parts = [
  'tokens',
  'cached-users',
  'upstream-client',
  'rate-limiter',
  'revocation',
  'type-stripping',
  'embedded-database',
  'regions',
]

const named = process.argv.slice(2)
const unknown = named.filter((name) => !parts.includes(name))
if (unknown.length > 0) {
  process.stderr.write(`There is no ${unknown.join(', ')}: ${parts.join(', ')}.\n`)
  process.exit(1)
}
for (const part of named.length > 0 ? named : parts) {
  process.stdout.write(`\n${part}\n`)
  await import(`./${part}.ts`)
}
