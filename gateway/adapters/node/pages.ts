import { createHash } from 'node:crypto'
import { globSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import packageJson from '../../../package.json' with { type: 'json' }
import type { Config } from '../../../shared/config.ts'
import { describeApi } from '../../openapi/document.ts'
import type { UpstreamDocument } from '../../openapi/upstream-document.ts'
import { type PolicyFile, parsePolicyFile } from '../../policy/policy-file.ts'
import { routes } from '../../routes.ts'
import type { Page } from '../../web-ui/pages.ts'

type PageName = 'docs' | 'admin'

/** No inline code, and no code of another origin. */
const strict = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
]

const policies: Record<PageName, string> = {
  // The admin page never turns text into markup; Trusted Types make the browser enforce that.
  admin: [...strict, "img-src 'self'", "require-trusted-types-for 'script'", "trusted-types 'none'"].join(
    '; ',
  ),
  // Swagger UI's style sheet has small pictures as data: URLs.
  docs: [...strict, "img-src 'self' data:"].join('; '),
}

const ownFolder = fileURLToPath(new URL('../../web-ui/', import.meta.url))
const swaggerFolder = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'))

const mediaTypes: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/**
 * The pages that this gateway serves: those of GATEWAY_PAGES; by default both, but none in
 * production.
 *
 * @param policyFile file whose rows the API description has beside those in code
 */
export function createPages(
  {
    GATEWAY_PAGES: named,
    NODE_ENV: environment,
    PRODUCT_NAME: product,
    PASSWORD_MIN_LENGTH: passwordMinLength,
  }: Config<'GATEWAY_PAGES' | 'NODE_ENV' | 'PRODUCT_NAME' | 'PASSWORD_MIN_LENGTH'>,
  policyFile: PolicyFile | undefined,
) {
  const served = (['docs', 'admin'] as const).filter((name) =>
    named ? named.includes(name) : environment !== 'production',
  )
  const servesDocs = served.includes('docs')
  const byPath = new Map<string, Page>()
  for (const name of served) addFiles(byPath, name, product)

  /** Replaces the API description by that with these rows. */
  function describe(file: PolicyFile | undefined, documents?: ReadonlyMap<string, UpstreamDocument>) {
    if (!servesDocs) return
    const fileRows = file ? parsePolicyFile(file.text, file.name).map(({ row }) => row) : []
    const description = describeApi({
      rows: routes,
      fileRows,
      ...(documents && { documents }),
      version: packageJson.version,
      product,
      passwordMinLength,
    })
    byPath.set('/openapi.json', descriptionPage(description))
  }
  describe(policyFile)

  return { byPath, describe, servesDocs }
}

export type ServedPages = ReturnType<typeof createPages>

/** Adds a page, and the files that it loads. */
function addFiles(pages: Map<string, Page>, name: PageName, product: string) {
  const add = (path: string, file: string, content = readFileSync(file), more: Record<string, string> = {}) =>
    pages.set(path, createPage(content, { 'content-type': mediaTypeOf(file), ...more }))

  for (const file of globSync(['*.{js,css,svg}', `${name}/*.{js,css}`], { cwd: ownFolder }))
    add(`/pages/${file}`, join(ownFolder, file))
  const index = join(ownFolder, name, 'index.html')
  const html = readFileSync(index, 'utf8').replaceAll('{{product}}', escapeHtml(product))
  add(`/${name}`, index, Buffer.from(html), { 'content-security-policy': policies[name] })
  if (name === 'docs') {
    for (const file of ['swagger-ui.css', 'swagger-ui-bundle.js'])
      add(`/pages/swagger-ui/${file}`, join(swaggerFolder, file))
  }
}

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

const escapeHtml = (text: string) => text.replace(/[&<>"]/g, (character) => entities[character] ?? '')

/** The API description, for the docs page and for programs. */
const descriptionPage = (description: object) =>
  createPage(Buffer.from(JSON.stringify(description)), { 'content-type': 'application/json' })

/** Browsers keep pages and revalidate them each time, which costs a response without a body. */
function createPage(body: Buffer, headers: Record<string, string>): Page {
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 27)}"`
  return { body: Uint8Array.from(body), headers: { ...headers, etag, 'cache-control': 'no-cache' } }
}

function mediaTypeOf(file: string): string {
  const mediaType = mediaTypes[extname(file)]
  if (!mediaType) throw new Error(`${file} is no file of a page`)
  return mediaType
}
