import { element } from './dom.js'

/**
 * Asks for a password or a code in a dialog of its own.
 *
 * @param {object} question
 * @param {'password' | 'code'} question.kind
 * @param {string} [question.notice] why the last answer was refused
 * @returns {Promise<string | undefined>} undefined if the user cancels
 */
export function askCredential({ kind, notice = '' }) {
  const { title, label, type, autocomplete } = questions[kind]
  const input = element('input', { type, autocomplete, required: true, maxlength: 1024 })
  const form = element(
    'form',
    { method: 'dialog' },
    element('h2', { id: 'credential-title' }, title),
    element('p', { class: 'notice refused', role: 'alert' }, notice),
    element('label', {}, `${label} `, input),
    element(
      'div',
      { class: 'row end' },
      element('button', { type: 'button', click: () => dialog.close('no') }, 'Cancel'),
      element('button', { type: 'submit', class: 'primary', value: 'yes' }, 'Continue'),
    ),
  )
  const dialog = element('dialog', { 'aria-labelledby': 'credential-title' }, form)
  document.body.append(dialog)
  dialog.showModal()
  input.focus()
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      dialog.remove()
      resolve(dialog.returnValue === 'yes' ? input.value : undefined)
    })
  })
}

const questions = {
  password: {
    title: 'Confirm that it is you',
    label: 'Password',
    type: 'password',
    autocomplete: 'current-password',
  },
  code: {
    title: 'Second factor',
    label: 'Code of your authenticator app, or a recovery code',
    type: 'text',
    autocomplete: 'one-time-code',
  },
}
