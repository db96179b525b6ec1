import { demoAccounts } from './demo.ts'

interface WelcomeFacts {
  /** Base URLs. */
  gateway: string
  origin: string
  /** Where monitoring reads. */
  metrics: string[]
  /** undefined where there are no demo accounts: then a registration is the first thing to try. */
  demoPassword: string | undefined
  folder: string
}

/** The message of `npm start` when everything runs. */
export function welcome({ gateway, origin, metrics, demoPassword, folder }: WelcomeFacts): string {
  return `
Gatehouse is up.

  Gateway  ${gateway}   what frontends call
  Origin   ${origin}   trusts the gateway alone
  Pages    ${gateway}/docs   the API, to read and to try
           ${gateway}/admin   accounts, plans, audit log
  Metrics  ${metrics.join('   ')}
${demoPassword ? accounts(demoPassword) : ''}
  Try first:

    ${demoPassword ? login(gateway, demoPassword) : register(gateway)}

  npm run keys and npm run clients work on this database too, for example:

    npm run keys -- list

Ctrl-C stops it; the data stays in ${folder}.`
}

function accounts(password: string): string {
  const lines = demoAccounts.map(
    ({ email, role, plan }) => `    ${email.padEnd(24)} ${role.padEnd(12)} ${plan}`,
  )
  return `
  Demo accounts, all with the password ${password}
    ${'email'.padEnd(24)} ${'role'.padEnd(12)} plan
${lines.join('\n')}
`
}

const login = (gateway: string, password: string) =>
  post(`${gateway}/auth/login`, { email: 'subscriber@example.com', password })

const register = (gateway: string) =>
  post(`${gateway}/auth/register`, { email: 'ada@example.org', password: 'correct horse battery' })

const post = (url: string, body: object) => `curl -s ${url} -H 'content-type: application/json' \\
      -d '${JSON.stringify(body)}'`
