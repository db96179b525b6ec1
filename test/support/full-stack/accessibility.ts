import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Page } from 'playwright-core'

const mostPresses = 80

/** The members of a DOM element that are read here. */
interface Control {
  getAttribute(name: string): string | null
  textContent: string | null
}

/**
 * Presses Tab until the focus is on the control of this name or with this text.
 *
 * @throws Error where no Tab reaches it
 */
export async function tabTo(page: Page, target: string): Promise<void> {
  for (let presses = 0; presses < mostPresses; presses++) {
    await page.keyboard.press('Tab')
    const focused = await page.evaluate(() => {
      const { activeElement: at } = (globalThis as unknown as { document: { activeElement: Control | null } })
        .document
      return [at?.getAttribute('name'), at?.textContent?.trim()]
    })
    if (focused.includes(target)) return
  }
  throw new Error(`no Tab leads to ${target}`)
}

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** Violations found by axe-core, by WCAG 2.2 AA and its own good practice. */
export async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axe)
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: { run: () => Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> }
    }
    const found = await axe.run()
    return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)
  })
}
