import { hideSecretArguments } from '@orchestrator/config';

// Imported before anything else, all of which takes time to load.
hideSecretArguments(process, 'orchestrator-worker');
