import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findProgram } from '../../common/find-program.ts'
import { gatewayArgs, gatewayFolders } from '../../common/gateway-args.ts'

/** Settings of a contender. */
export interface Setting {
  /** A folder of this process's own. */
  folder: string
  port: number
  upstreamUrl: string
  redisUrl: string
  keyPrefix: string
  issuer: string
  audience: string
  /** Key that verifies tokens, in PEM. */
  publicKey: string
  addressQuota: number
  addressSeconds: number
  /** Gatehouse alone: the URL of its origin, and the key that signs assertions. */
  originUrl: string
  assertionPrivateJwk: string
}

export interface Command {
  command: string
  args: string[]
  env?: NodeJS.ProcessEnv
}

export interface Contender {
  title: string
  /** Differences from the work of the others. */
  unequal?: string
  /** `plain` proxies and sets headers, without authentication. */
  work: 'all' | 'plain'
  /** Whether it gains from having seen a token. */
  remembers: boolean
  counts: 'redis' | 'locally' | 'not at all'
  /** How many processes serve, each on a core; by default one. */
  processes?: number
  /** A program that must be on PATH, files that must be there, and Debian's packages of them. */
  needs?: { program: string; files?: readonly string[]; package: string }
  /** Credentials of its known users; by default access tokens. */
  credentials?: 'keys'
  /** How the upstream learns who calls, where it does. */
  callerHeader?: string
  run(setting: Setting): Command
}

const peers = fileURLToPath(new URL('../peers/', import.meta.url))
const root = fileURLToPath(new URL('../../..', import.meta.url))
const bunEntry = join(root, 'gateway/adapters/bun/main.ts')

const node24 = join(peers, `node_modules/node-24-linux-${process.arch}/bin/node`)
const bunArch = process.arch === 'arm64' ? 'aarch64' : process.arch
const bun = join(peers, `node_modules/@oven/bun-linux-${bunArch}/bin/bun`)

/** The row that the policy file adds; the path is the load's. */
export const path = '/v1/bench'
const policyOf = (fields: object) => ({
  routes: [
    {
      method: 'GET',
      path,
      upstream: 'bench',
      who: 'user',
      permissions: { all: ['dashboard.read'] },
      limits: ['user', 'address'],
      ...fields,
    },
  ],
})

function gatehouse(
  command: string,
  args: string[],
  variables: Record<string, string> = {},
  fields: object = {},
): Contender['run'] {
  return (setting) => {
    const policyFile = join(setting.folder, 'policy.json')
    writeFileSync(policyFile, JSON.stringify(policyOf(fields)))
    return {
      command,
      args,
      env: {
        NODE_ENV: 'production',
        LOG_LEVEL: 'warn',
        GATEWAY_PORT: `${setting.port}`,
        ORIGIN_URL: setting.originUrl,
        UPSTREAMS: JSON.stringify({ bench: setting.upstreamUrl }),
        POLICY_FILE: policyFile,
        REDIS_URL: setting.redisUrl,
        REDIS_KEY_PREFIX: setting.keyPrefix,
        ISSUER_URL: setting.issuer,
        ACCESS_TOKEN_AUDIENCE: setting.audience,
        ASSERTION_PRIVATE_JWK: setting.assertionPrivateJwk,
        UPGRADE_URL: 'https://shop.example/upgrade',
        GATEWAY_HOSTS: '127.0.0.1',
        TRUSTED_PROXY_HOPS: '1',
        LIMIT_ADDRESS_REQUESTS: `${setting.addressQuota}`,
        LIMIT_ADDRESS_SECONDS: `${setting.addressSeconds}`,
        DRAIN_DELAY_SECONDS: '0',
        ...variables,
      },
    }
  }
}

interface NodeOptions {
  node?: string
  /** The folder of a package.json. */
  checkout?: string
  variables?: Record<string, string>
  /** Fields of the row beside those of all contenders. */
  fields?: object
}

/** The gateway as `npm run gateway` starts it. */
function gatehouseOnNode({ node = process.execPath, checkout, variables, fields }: NodeOptions = {}) {
  return gatehouse(node, gatewayArgs(checkout), { ...gatewayFolders(checkout), ...variables }, fields)
}

function nodePeer(file: string): Contender['run'] {
  return (setting) => ({
    command: process.execPath,
    args: [join(peers, file)],
    env: {
      NODE_ENV: 'production',
      PORT: `${setting.port}`,
      UPSTREAM_URL: setting.upstreamUrl,
      REDIS_URL: setting.redisUrl,
      KEY_PREFIX: setting.keyPrefix,
      PUBLIC_KEY: setting.publicKey,
      ISSUER: setting.issuer,
      AUDIENCE: setting.audience,
      ADDRESS_QUOTA: `${setting.addressQuota}`,
      ADDRESS_SECONDS: `${setting.addressSeconds}`,
    },
  })
}

/** Writes a configuration with its ${NAMES} filled in. @returns its path */
function fillIn(file: string, setting: Setting, parts: Record<string, string> = {}): string {
  const publicKeyFile = join(setting.folder, 'public-key.pem')
  writeFileSync(publicKeyFile, setting.publicKey)
  const values: Record<string, string | number> = {
    PORT: setting.port,
    FOLDER: setting.folder,
    UPSTREAM_ADDRESS: new URL(setting.upstreamUrl).host,
    PUBLIC_KEY_FILE: publicKeyFile,
    ISSUER: setting.issuer,
    AUDIENCE: setting.audience,
    ADDRESS_QUOTA: setting.addressQuota,
    ADDRESS_SECONDS: setting.addressSeconds,
    REDIS_HOST: new URL(setting.redisUrl).hostname,
    REDIS_PORT: new URL(setting.redisUrl).port,
    KEY_PREFIX: setting.keyPrefix,
    PEERS: peers,
  }
  const fill = (text: string): string =>
    text.replaceAll(/\$\{([A-Z_]+)\}/g, (whole, name) => {
      const part = parts[name]
      return part === undefined ? String(values[name] ?? whole) : fill(part.trimEnd())
    })
  const filled = join(setting.folder, file)
  writeFileSync(filled, fill(readFileSync(join(peers, file), 'utf8')))
  return filled
}

function haproxy(verification: string): Contender['run'] {
  return (setting) => {
    const part = readFileSync(join(peers, verification), 'utf8')
    const file = fillIn('haproxy.cfg', setting, { VERIFICATION: part })
    return { command: findProgram('haproxy') ?? 'haproxy', args: ['-db', '-f', file] }
  }
}

function runNginx(setting: Setting, parts: Record<string, string>): Command {
  const file = fillIn('nginx.conf', setting, parts)
  return { command: findProgram('nginx') ?? 'nginx', args: ['-p', setting.folder, '-c', file] }
}

const nginx: Contender['run'] = (setting) => runNginx(setting, { MODULES: '', GATEWAY: '' })

/** Where Debian has them. */
const luaModules = ['ndk_http_module.so', 'ngx_http_lua_module.so'].map(
  (name) => `/usr/lib/nginx/modules/${name}`,
)

const nginxLua: Contender['run'] = (setting) =>
  runNginx(setting, {
    MODULES: luaModules.map((file) => `load_module ${file};`).join('\n'),
    GATEWAY: readFileSync(join(peers, 'nginx-lua.conf'), 'utf8'),
  })

const haproxyNeeds = { program: 'haproxy', package: 'haproxy' }
const inHaproxy =
  'counts in the memory of one process, which several of them would not share; sends X-User-* headers that an upstream must trust ' +
  'for where they come from'
const unsigned = 'sends X-User-* headers, which it does not sign'

/**
 * The gateway of another checkout of this repository, whose packages are installed: the difference
 * that a change makes, measured in one run.
 *
 * @param checkout the folder of its package.json
 */
export const baselineContender = (checkout: string): Contender => ({
  title: 'Gatehouse, baseline',
  work: 'all',
  remembers: true,
  counts: 'redis',
  callerHeader: 'gatehouse-assertion',
  run: gatehouseOnNode({ checkout }),
})

/** Everything that is measured. A contender is a row. */
export const contenders: Record<string, Contender> = {
  gatehouse: {
    title: 'Gatehouse',
    work: 'all',
    remembers: true,
    counts: 'redis',
    callerHeader: 'gatehouse-assertion',
    run: gatehouseOnNode(),
  },
  'gatehouse-keys': {
    title: 'Gatehouse, known users with API keys',
    work: 'all',
    remembers: true,
    counts: 'redis',
    credentials: 'keys',
    callerHeader: 'gatehouse-assertion',
    run: gatehouseOnNode({ fields: { keys: true } }),
  },
  'gatehouse-two-processes': {
    title: 'Gatehouse, two processes',
    processes: 2,
    work: 'all',
    remembers: true,
    counts: 'redis',
    callerHeader: 'gatehouse-assertion',
    run: gatehouseOnNode({ variables: { GATEWAY_PROCESSES: '2' } }),
  },
  'gatehouse-no-fast-path': {
    title: 'Gatehouse without the fast path',
    work: 'all',
    remembers: true,
    counts: 'redis',
    callerHeader: 'gatehouse-assertion',
    run: gatehouseOnNode({ variables: { GATEWAY_FAST_PATH: 'false' } }),
  },
  'gatehouse-node-24': {
    title: 'Gatehouse on Node 24',
    work: 'all',
    remembers: true,
    counts: 'redis',
    callerHeader: 'gatehouse-assertion',
    run: gatehouseOnNode({ node: node24 }),
  },
  'gatehouse-bun': {
    title: 'Gatehouse on Bun',
    work: 'all',
    remembers: true,
    counts: 'redis',
    callerHeader: 'gatehouse-assertion',
    run: gatehouse(bun, [bunEntry]),
  },
  express: {
    title: 'Express stack',
    unequal: unsigned,
    work: 'all',
    remembers: false,
    counts: 'redis',
    callerHeader: 'x-user-id',
    run: nodePeer('express.js'),
  },
  'naive-hono': {
    title: 'Naive Hono',
    unequal: unsigned,
    work: 'all',
    remembers: false,
    counts: 'redis',
    callerHeader: 'x-user-id',
    run: nodePeer('naive-hono.js'),
  },
  fastify: {
    title: 'Fastify, tokens cached',
    unequal: unsigned,
    work: 'all',
    remembers: true,
    counts: 'redis',
    callerHeader: 'x-user-id',
    run: nodePeer('fastify.js'),
  },
  haproxy: {
    title: 'HAProxy, verifying each time',
    unequal: inHaproxy,
    work: 'all',
    remembers: false,
    counts: 'locally',
    needs: haproxyNeeds,
    callerHeader: 'x-user-id',
    run: haproxy('haproxy-each.cfg'),
  },
  'haproxy-cached': {
    title: 'HAProxy, verdicts cached',
    unequal: `${inHaproxy}; any made-up token takes a place in its table of verdicts`,
    work: 'all',
    remembers: true,
    counts: 'locally',
    needs: haproxyNeeds,
    callerHeader: 'x-user-id',
    run: haproxy('haproxy-cached.cfg'),
  },
  'nginx-lua': {
    title: 'nginx with Lua, tokens cached',
    unequal: `${unsigned}; counts in fixed windows`,
    work: 'all',
    remembers: true,
    counts: 'redis',
    needs: { program: 'nginx', files: luaModules, package: 'nginx libnginx-mod-http-lua lua-cjson' },
    callerHeader: 'x-user-id',
    run: nginxLua,
  },
  nginx: {
    title: 'nginx, plain proxy',
    unequal: 'looks at no token and counts nothing',
    work: 'plain',
    remembers: false,
    counts: 'not at all',
    needs: { program: 'nginx', package: 'nginx' },
    run: nginx,
  },
}
