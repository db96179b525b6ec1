/**
 * Test files that run behind the pooler (`npm run test:pooler`): those of sessions, transactions,
 * locks, relays and upkeep, and some of each other subject of the origin.
 */
export const poolerSuite = [
  'origin/{audit,db,import,internal,keys,lockout,mail}/**/*.test.ts',
  'origin/{revocations,sessions,subscriptions,upkeep}/**/*.test.ts',
  'origin/{api-keys,catalogue,catalogue-command,entitlements,health,metrics,well-known}/**/*.test.ts',
  'origin/oauth/**/*.test.ts',
  'origin/accounts/{addresses,metadata}.test.ts',
  'origin/accounts-command/**/*.test.ts',
  'origin/admin/{reset-factors,role-changes,role-edits,users}.test.ts',
  'origin/gateway-reports/denial-intake.test.ts',
  'origin/plans/plan-changes.test.ts',
  'test/flows/{flow,replicas}.test.ts',
]

interface LeftOut {
  files: readonly string[]
  reason: string
}

/** Test files that open a database and do not run behind the pooler. */
export const leftOutBehindPooler: readonly LeftOut[] = [
  {
    files: ['**/*.clock.test.ts'],
    reason: 'they bound times, on servers of their own; pooler.clock.test.ts has those of a pooler',
  },
  {
    files: ['{dev,examples,gateway,tools}/**', 'test/{http,monitoring,support}/**'],
    reason: 'the origin in them does nothing that its own tests do not do',
  },
  {
    files: ['test/scale/**'],
    reason: 'they judge plans and costs of queries, with 100,000 accounts',
  },
  {
    files: ['test/flows/**'],
    reason: 'their subject is the gateway, or all routes once more; flow.test.ts goes through both services',
  },
  {
    files: ['origin/{auth,delegated-sign-in,factors,passwords,legacy,email-tokens}**/**', 'origin/*.test.ts'],
    reason: 'hashing takes their time; their transactions are those of sessions, lockout and mail',
  },
  {
    files: ['origin/{accounts,admin,gateway-reports,plans,usage,limits,http,openapi}/**'],
    reason: 'their time; the files of the same folders above have the same kinds of statements',
  },
]
