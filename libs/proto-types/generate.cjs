'use strict';
// Writes src/generated from proto/. Run by `npm run proto`; the result is committed and its freshness checked by CI.
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const root = path.resolve(__dirname, '../..');
const out = path.join(__dirname, 'src/generated');
const protoFiles = fs
  .readdirSync(path.join(root, 'proto'), { recursive: true })
  .map(String)
  .filter((file) => file.endsWith('.proto'))
  .sort();

fs.rmSync(out, { recursive: true, force: true });
fs.mkdirSync(out, { recursive: true });
const result = spawnSync(
  process.execPath,
  [
    path.join(path.dirname(require.resolve('protoc/package.json')), 'protoc.cjs'),
    `--plugin=protoc-gen-ts_proto=${require.resolve('ts-proto/protoc-gen-ts_proto')}`,
    `--ts_proto_out=${out}`,
    '--ts_proto_opt=env=node,esModuleInterop=true,importSuffix=.js,outputServices=nice-grpc,outputServices=generic-definitions,' +
      'outputJsonMethods=false,useExactTypes=false,oneof=unions-value,forceLong=number,removeEnumPrefix=true,unrecognizedEnum=true',
    '-I',
    'proto',
    ...protoFiles,
  ],
  { cwd: root, stdio: 'inherit' },
);
process.exitCode = result.status ?? 1;
