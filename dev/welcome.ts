import type { DemoAccount } from './demo.ts'

interface WelcomeFacts {
  /** Base URLs. */
  gateway: string
  origin: string
  /** Where monitoring reads. */
  metrics: string[]
  /** Demo accounts; none where the database is of somebody else. */
  accounts: readonly DemoAccount[]
  /** Of each of them. */
  demoPassword: string
  folder: string
}

/** The message of `npm start` when everything runs. */
export function welcome({ gateway, origin, metrics, accounts, demoPassword, folder }: WelcomeFacts): string {
  // One whose plan has the demo's reports, where there is one; otherwise a registration is tried.
  const example = accounts.find(({ role }) => role === 'subscriber') ?? accounts[0]
  return `
Gatehouse is up.

  Gateway  ${gateway}   what frontends call
  Origin   ${origin}   trusts the gateway alone
  Pages    ${gateway}/docs   the API, to read and to try
           ${gateway}/admin   accounts, plans, audit log
  Metrics  ${metrics.join('   ')}
${accounts.length > 0 ? describeAccounts(accounts, demoPassword) : ''}
  Try first:

    ${example ? login(gateway, example.email, demoPassword) : register(gateway)}

  npm run keys, clients, accounts and catalogue work on this database too, for example:

    npm run keys -- list

Ctrl-C stops it; the data stays in ${folder}.`
}

function describeAccounts(accounts: readonly DemoAccount[], password: string): string {
  const lines = accounts.map(({ email, role, plan }) => `    ${email.padEnd(24)} ${role.padEnd(12)} ${plan}`)
  return `
  Demo accounts, all with the password ${password}
    ${'email'.padEnd(24)} ${'role'.padEnd(12)} plan
${lines.join('\n')}
`
}

const login = (gateway: string, email: string, password: string) =>
  post(`${gateway}/auth/login`, { email, password })

const register = (gateway: string) =>
  post(`${gateway}/auth/register`, { email: 'ada@example.org', password: 'correct horse battery' })

const post = (url: string, body: object) => `curl -s ${url} -H 'content-type: application/json' \\
      -d '${JSON.stringify(body)}'`
