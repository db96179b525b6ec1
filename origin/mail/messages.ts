/**
 * The mails that anybody can cause without a password: they have a budget. A notice of a change or
 * of a lockout has none, because an attacker could use it up to hide what happened.
 */
export type BudgetedKind = 'verify_address' | 'address_taken' | 'reset_password'

/** A mail without its recipient, in plain text. */
export interface Message {
  /** Where the mail has a budget. */
  kind?: BudgetedKind
  subject: string
  text: string
  /** From then on the mail is not sent. */
  expiresAt?: Date
}

interface MessagesOptions {
  /** Base URL of the product's pages. */
  frontendUrl: string
  product: string
}

/** The token of a mailed link and its expiry. */
interface Link {
  token: string
  expiresAt: Date
}

/**
 * Every mail that the origin sends. None repeats text from a request, such as a display name: an
 * attacker could register a victim's address and have us send that text.
 *
 * A link's token is in the fragment, which browsers do not send: it is in no server log and in no
 * Referer.
 *
 * Each mail names the product.
 */
export function createMessages({ frontendUrl, product }: MessagesOptions) {
  const base = frontendUrl.replace(/\/+$/, '')
  const link = (page: string, token: string) => `${base}/${page}#token=${encodeURIComponent(token)}`
  const askForReset = `ask for a new password where you sign in ("forgot password"): ${base}`

  return {
    verifyAddress: ({ token, expiresAt }: Link): Message => ({
      kind: 'verify_address',
      expiresAt,
      subject: `Confirm your address for ${product}`,
      text: paragraphs(
        `Somebody, most likely you, registered at ${product} with this address. To confirm that it is yours, open:`,
        link('verify-email', token),
        `The link works once, until ${inUtc(expiresAt, Math.floor)}.`,
        'You will be asked for the password that you registered with. If it was not you, do nothing: you cannot confirm it by mistake.',
      ),
    }),

    /**
     * Notifies the owner of a taken address, as the response to the registration reveals nothing.
     */
    addressTaken: (): Message => ({
      kind: 'address_taken',
      subject: `You have an account at ${product} already`,
      text: paragraphs(
        `Somebody tried to register at ${product} with this address, which has an account already. Nothing was changed.`,
        `If it was you, sign in; if you do not know the password any more, ${askForReset}`,
        'If it was not you, do nothing.',
      ),
    }),

    resetPassword: ({ token, expiresAt }: Link): Message => ({
      kind: 'reset_password',
      expiresAt,
      subject: `Choose a new password for ${product}`,
      text: paragraphs(
        `Somebody, most likely you, asked for a new password at ${product}. To choose one, open:`,
        link('reset-password', token),
        `The link works once, until ${inUtc(expiresAt, Math.floor)}. If it was not you, do nothing: your password stays as it is.`,
      ),
    }),

    passwordChanged: (): Message => ({
      subject: `Your password for ${product} was changed`,
      text: paragraphs(
        `The password of your account at ${product} was just changed.`,
        `If it was not you, somebody else may be in your account: at once ${askForReset}`,
      ),
    }),

    apiKeyCreated: (): Message => ({
      subject: `An API key of your account at ${product} was created`,
      text: paragraphs(
        `An API key was just created in your account at ${product}. A program that has it acts in your name until you revoke it.`,
        `If it was not you, somebody else may be in your account: revoke the key, and at once ${askForReset}`,
      ),
    }),

    factorAdded: (): Message => ({
      subject: `An authenticator app protects your account at ${product}`,
      text: paragraphs(
        `An authenticator app was just added to your account at ${product}. From now on a new device needs its code beside the password.`,
        `If it was not you, somebody else is in your account: at once ${askForReset}`,
      ),
    }),

    factorRemoved: (): Message => ({
      subject: `The authenticator app was removed from your account at ${product}`,
      text: paragraphs(
        `The authenticator app and the recovery codes of your account at ${product} were just removed. The password alone signs in now.`,
        `If it was not you, somebody else is in your account: at once ${askForReset}`,
      ),
    }),

    factorsReset: (): Message => ({
      subject: `The second factor of your account at ${product} was reset`,
      text: paragraphs(
        `An administrator of ${product} removed the authenticator app and the recovery codes of your account. The password alone signs in now; add a factor again after you sign in.`,
        `If you did not ask for this, ${askForReset}`,
      ),
    }),

    recoveryCodesCreated: (): Message => ({
      subject: `New recovery codes for your account at ${product}`,
      text: paragraphs(
        `New recovery codes were just made for your account at ${product}. Those from before no longer work.`,
        `If it was not you, somebody else is in your account: at once ${askForReset}`,
      ),
    }),

    recoveryCodeUsed: ({ left }: { left: number }): Message => ({
      subject: `A recovery code of your account at ${product} was used`,
      text: paragraphs(
        `Somebody, most likely you, used a recovery code of your account at ${product}. Codes left: ${left}.`,
        `If it was not you, your password and a recovery code are in other hands: at once ${askForReset} Then make new recovery codes.`,
      ),
    }),

    codesLocked: ({
      lockoutEndsAt,
      isKnownDevice,
    }: {
      lockoutEndsAt: Date
      isKnownDevice: boolean
    }): Message => ({
      subject: `Wrong codes were tried on your account at ${product}`,
      text: paragraphs(
        `Somebody who knows your password tried too many wrong codes of the second factor on your account at ${product}. No code of ${isKnownDevice ? 'that signed-in device' : 'a new device'} is accepted until ${inUtc(lockoutEndsAt, Math.ceil)}.`,
        `If it was not you, choose another password: ${askForReset}`,
      ),
    }),

    codesStopped: (): Message => ({
      subject: `Codes of your authenticator app are locked at ${product}`,
      text: paragraphs(
        `Somebody who knows your password tried a hundred wrong codes in a row on your account at ${product}. Codes of your authenticator app are not accepted until you sign in with a recovery code, or an administrator unlocks your account.`,
        `If it was not you, choose another password: ${askForReset}`,
      ),
    }),

    lockoutStarted: ({ lockoutEndsAt }: { lockoutEndsAt: Date }): Message => ({
      subject: `Your account at ${product} is locked for a while`,
      text: paragraphs(
        `Somebody tried too many wrong passwords on your account at ${product}. It takes no sign-in from new devices until ${inUtc(lockoutEndsAt, Math.ceil)}, then unlocks by itself.`,
        `To unlock it sooner, ${askForReset}`,
        'If it was not you, your password held: you need do nothing.',
      ),
    }),
  }
}

export type Messages = ReturnType<typeof createMessages>

const paragraphs = (...texts: string[]) => `${texts.join('\n\n')}\n`

/**
 * Formats a time to the minute, rounded to the safe side: the lockout has ended by then, and the
 * link is still valid.
 */
function inUtc(time: Date, round: (minutes: number) => number): string {
  const minuteMs = 60_000
  const minute = new Date(round(time.getTime() / minuteMs) * minuteMs).toISOString()
  return `${minute.slice(0, 10)} ${minute.slice(11, 16)} UTC`
}
