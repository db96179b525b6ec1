import { type Browser, chromium } from 'playwright-core'
import { findBrowserBinary } from '../../../tools/servers/programs/browser-binary.ts'

/** Starts a Chromium without pages. */
export async function launchBrowser(): Promise<Browser> {
  const { command, env } = await findBrowserBinary()
  // A container's root may have no user namespaces, which Chromium's own sandbox is made of.
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : []
  return chromium.launch({ executablePath: command, env: env as Record<string, string>, args })
}
