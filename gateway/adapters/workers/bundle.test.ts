import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { describe, expect, test } from 'vitest'

/**
 * As wrangler bundles it: for a runtime that is neither Node nor a browser, with the platform's own
 * modules left to it.
 */
async function bundle(entry: string, { minify = false, platform = 'neutral' as 'neutral' | 'node' } = {}) {
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    minify,
    format: 'esm',
    platform,
    mainFields: ['module', 'main'],
    conditions: ['workerd', 'worker', 'browser'],
    external: ['cloudflare:*', 'node:*'],
    logLevel: 'silent',
  })
  return outputFiles[0]?.text ?? ''
}

/**
 * Code that must not reach the edge. esbuild writes each file's path above its code, so the path
 * shows it.
 */
const foreign = {
  'a module of Node':
    /\bfrom ?["']node:|import\(["']node:|require\(["'](node:)?(fs|net|http|crypto|stream|events|buffer)["']\)/,
  'a package that needs one':
    /node_modules\/(ioredis|undici|pino|@hono\/node-server|rate-limiter-flexible|postgres|piscina)\//,
  'the Node adapter': /^\/\/ gateway\/adapters\/(node|bun|deno)\//m,
  "Node's part of what is shared": /^\/\/ shared\/node\//m,
  'the origin': /^\/\/ origin\//m,
  'process or Buffer': /(?<![.\w"'])(process\.(env|exit|on)|Buffer\.(from|alloc))\b/,
}

/**
 * Compressed, as it is uploaded; the platform's own limit is 3 MB for everybody. Zod is imported as
 * a namespace (`import * as z`): its export `z` would bring 60 KiB of translations along.
 */
const maxBytes = 160 * 1024

describe('the bundle for Workers', () => {
  test('holds the gateway', async () => {
    const text = await bundle('gateway/adapters/workers/main.ts')
    for (const file of [
      'gateway/decision/decide.ts',
      'gateway/routes.ts',
      'gateway/adapters/workers/store.ts',
    ])
      expect(text).toContain(`// ${file}\n`)
  })

  test.each(Object.keys(foreign) as (keyof typeof foreign)[])('holds nothing of %s', async (name) => {
    expect(await bundle('gateway/adapters/workers/main.ts')).not.toMatch(foreign[name])
  })

  // A check that finds nothing anywhere would find nothing here.
  test.each(['a module of Node', 'a package that needs one', 'the Node adapter'] as const)(
    'the bundle for Bun does hold %s',
    async (name) => {
      expect(await bundle('gateway/adapters/bun/main.ts', { platform: 'node' })).toMatch(foreign[name])
    },
  )

  test(`is at most ${maxBytes / 1024} KiB, compressed`, async () => {
    const bytes = gzipSync(await bundle('gateway/adapters/workers/main.ts', { minify: true }), {
      level: 9,
    }).byteLength
    process.stdout.write(`Workers bundle: ${(bytes / 1024).toFixed(0)} KiB compressed\n`)
    expect(bytes).toBeLessThan(maxBytes)
  })
})
