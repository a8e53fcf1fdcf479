return await TrustixProxy.Verbs.CommandLine.RunAsync(args);
