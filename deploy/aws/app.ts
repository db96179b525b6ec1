import { App } from 'aws-cdk-lib'
import { readInstallation } from './configuration.ts'
import { createInstallation } from './create-installation.ts'

/** `npx cdk synth -c installation=installations/example.yaml -c release=0.1.0` */
const app = new App()
const path = app.node.tryGetContext('installation') ?? 'installations/example.yaml'
createInstallation(app, readInstallation(path), app.node.tryGetContext('release') ?? 'unreleased')
app.synth()
