// Written by tools/generate-lua.mjs from scripts/*.lua. Do not edit.

export const acquire = "#!lua flags=allow-oom\nlocal token, leaseMs = ARGV[2], ARGV[3]\nlocal holder = redis.call('GET', KEYS[1])\nif holder and holder ~= token then\nreturn 0\nend\nredis.call('SET', KEYS[1], token, 'PX', leaseMs)\nreturn 1";

export const extend = "#!lua flags=allow-oom\nlocal token, leaseMs = ARGV[2], ARGV[3]\nif redis.call('GET', KEYS[1]) ~= token then\nreturn 0\nend\nredis.call('PEXPIRE', KEYS[1], leaseMs)\nreturn 1";

export const release = "#!lua flags=allow-oom\nif redis.call('GET', KEYS[1]) ~= ARGV[2] then\nreturn 0\nend\nredis.call('DEL', KEYS[1])\nreturn 1";
