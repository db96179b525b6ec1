import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import * as z from 'zod'
import { base, page, pageFolder, sender } from '../../shared/config-urls.ts'
import { listSchemaFaults } from '../../shared/lib/schema-faults.ts'

/** One installation on AWS, as a file of `installations/` has it. Unknown fields are faults. */

const pattern = (form: RegExp, example: string) =>
  z
    .string({ error: `must be a text such as ${example}` })
    .regex(form, { error: `must be such as ${example}` })
const whole = (min: number, max: number) =>
  z
    .int({ error: `must be a whole number from ${min} to ${max}` })
    .min(min, { error: `must be ${min} at least` })
    .max(max, { error: `must be ${max} at most` })

const hostName = pattern(/^(?=.{4,253}$)([a-z\d]([a-z\d-]*[a-z\d])?\.)+[a-z]{2,}$/, 'auth.example.com')

/** Memory in MiB that Fargate has for each number of CPU units. */
const fargateMemory: Readonly<Record<number, readonly [number, number]>> = {
  256: [512, 2048],
  512: [1024, 4096],
  1024: [2048, 8192],
  2048: [4096, 16_384],
  4096: [8192, 30_720],
}

const size = z
  .strictObject({
    cpu: z.literal([256, 512, 1024, 2048, 4096], { error: 'must be 256, 512, 1024, 2048 or 4096' }),
    memory: whole(512, 30_720),
    min: whole(2, 100),
    max: whole(2, 100),
  })
  .refine(({ min, max }) => min <= max, { path: ['max'], error: 'must not be below min' })
  .refine(
    ({ cpu, memory }) => {
      const [least, most] = fargateMemory[cpu] ?? [0, 0]
      return memory >= least && memory <= most && (memory % 1024 === 0 || memory === 512)
    },
    { path: ['memory'], error: 'must be what Fargate has for this cpu: 2 to 8 GiB a core, in steps of 1024' },
  )

const retentionDays = [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1827, 3653] as const

const schema = z
  .strictObject({
    /** Begins the name of each resource that has one. */
    name: pattern(/^[a-z][a-z\d-]{1,20}[a-z\d]$/, 'gatehouse'),
    account: pattern(/^\d{12}$/, "'111111111111', in quotes"),
    region: pattern(/^[a-z]{2}(-[a-z]+)+-\d$/, 'us-east-1'),
    zones: z
      .array(pattern(/^[a-z]{2}(-[a-z]+)+-\d[a-z]$/, 'us-east-1a'))
      .min(2, { error: 'must name two availability zones at least' })
      .max(6),
    network: z.strictObject({
      cidr: pattern(/^(\d{1,3}\.){3}\d{1,3}\/1[6-9]$/, '10.40.0.0/16'),
      /** One for each zone, or fewer: a lost zone then takes the way out of the others with it. */
      natGateways: whole(1, 6),
    }),
    domain: hostName,
    certificate: pattern(/^arn:aws[\w-]*:acm:[\w-]+:\d{12}:certificate\/[\w-]+$/, 'arn:aws:acm:...'),
    frontendUrl: pageFolder,
    upgradeUrl: page,
    corsOrigins: z.array(base).default([]),
    productName: z.string().min(1).max(60),
    mail: z.strictObject({ domain: hostName, from: sender }),
    alarms: z.strictObject({ email: z.email() }),
    logs: z.strictObject({ days: z.literal(retentionDays, { error: 'must be a retention of CloudWatch' }) }),
    /** The repository and branch whose workflow may deploy. */
    github: z.strictObject({
      repository: pattern(/^[\w.-]+\/[\w.-]+$/, 'owner/name'),
      branch: pattern(/^[\w./-]+$/, 'main'),
    }),
    gateway: size.and(z.object({ requestsPerTargetPerMinute: whole(60, 1_000_000) })),
    origin: size,
    database: z
      .strictObject({
        instance: pattern(/^[a-z\d]+\.[a-z\d]+$/, 't4g.medium'),
        storageGb: whole(20, 65_536),
        maxStorageGb: whole(20, 65_536),
        backupDays: whole(7, 35),
        /** RDS Proxy between origins and database, in transaction mode. */
        proxy: z.boolean(),
      })
      .refine(({ storageGb, maxStorageGb }) => maxStorageGb > storageGb, {
        path: ['maxStorageGb'],
        error: 'must be above storageGb',
      }),
    cache: z.strictObject({
      node: pattern(/^cache\.[a-z\d]+\.[a-z\d]+$/, 'cache.t4g.small'),
      /** 1: one master with replicas. More: cluster mode. */
      shards: whole(1, 90),
      replicas: whole(1, 5),
    }),
    waf: z.strictObject({ requestsPerFiveMinutes: whole(10, 2_000_000) }).optional(),
    privateAuthority: pattern(/^arn:aws[\w-]*:acm-pca:/, 'arn:aws:acm-pca:...').optional(),
    /** Base URLs of services behind the gateway, by name, and the rows that lead to them. */
    upstreams: z.record(z.string(), base).default({}),
    policyFile: z.string().optional(),
  })
  .refine(({ zones, region }) => zones.every((zone) => zone.startsWith(region)), {
    path: ['zones'],
    error: 'must be zones of the region',
  })
  .refine(({ zones }) => new Set(zones).size === zones.length, { path: ['zones'], error: 'must differ' })
  .refine(({ zones, network }) => network.natGateways <= zones.length, {
    path: ['network', 'natGateways'],
    error: 'must not be more than the zones',
  })
  .refine(({ certificate, region }) => certificate.split(':')[3] === region, {
    path: ['certificate'],
    error: 'must be a certificate of the region',
  })

export type Installation = z.output<typeof schema>

/** Every fault of an installation's file, one a line. */
export class InstallationError extends Error {}

/** @throws InstallationError naming each field that is missing, malformed or unknown */
export function parseInstallation(text: string, name: string): Installation {
  const result = schema.safeParse(parse(text))
  if (result.success) return result.data
  const reasons = listSchemaFaults(result.error).map(
    ({ path, message }) => `  - ${path.join('.') || 'the file'}: ${message}`,
  )
  throw new InstallationError(`${name} is not usable:\n${[...new Set(reasons)].join('\n')}`)
}

export const readInstallation = (path: string): Installation =>
  parseInstallation(readFileSync(path, 'utf8'), path)
