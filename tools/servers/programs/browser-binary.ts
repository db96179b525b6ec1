import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { unpackAptPackage } from './apt-package.ts'
import { findOnPath, type Program } from './find-program.ts'

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

const applications = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
]

/**
 * A Chromium: that of `TEST_BROWSER`, the machine's own, else the one that apt-get fetches.
 *
 * @throws Error with what to install or set where there is none to be had
 */
export async function findBrowserBinary(): Promise<Program> {
  const given = process.env.TEST_BROWSER ?? applications.find((path) => existsSync(path))
  if (given) return { command: given, env: process.env }
  const found = findOnPath(names)
  if (found) return found
  try {
    return await unpackChromium()
  } catch (cause) {
    throw new Error(
      'The tests of the pages need a Chromium: there is none on the PATH, and none could be fetched by apt-get. Install one, or set ' +
        'TEST_BROWSER to its program.',
      { cause },
    )
  }
}

async function unpackChromium(): Promise<Program> {
  const { root, env } = await unpackAptPackage('chromium', 'fonts-inter', 'fonts-dejavu-core')
  const fonts = join(root, 'fonts.conf')
  await writeFile(fonts, fontConfiguration(root))
  // Not usr/bin/chromium, which is a script that knows where it should have been installed.
  return { command: join(root, 'usr/lib/chromium/chromium'), env: { ...env, FONTCONFIG_FILE: fonts } }
}

/**
 * Without fonts a page has no letters, and those of the machine are where its own configuration
 * says.
 */
const fontConfiguration = (root: string) => `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig>
  <dir>${join(root, 'usr/share/fonts')}</dir>
  <cachedir>${join(root, 'var/cache/fontconfig')}</cachedir>
  <alias><family>sans-serif</family><prefer><family>Inter</family></prefer></alias>
  <alias><family>monospace</family><prefer><family>DejaVu Sans Mono</family></prefer></alias>
  <alias><family>ui-monospace</family><prefer><family>DejaVu Sans Mono</family></prefer></alias>
</fontconfig>
`
