using Microsoft.AspNetCore.Http;

namespace TrustixProxy.Apt.RealClients;

/// <summary>What rebuilderd answers to a question about a package that it reproduced.</summary>
internal static class GoodRecord
{
    /// <param name="query">The question.</param>
    /// <param name="version">The package's version.</param>
    /// <param name="number">The number of its build, its artifact and its attestation.</param>
    public static string Of(IQueryCollection query, string version, int number) => $$"""
        {"total":1,"records":[{"id":{{number}},"name":"{{query["name"]}}","version":"{{version}}","distribution":"debian",
        "release":"sid","component":"main","architecture":"{{query["architecture"]}}","url":"http://archive.example/{{query["name"]}}.deb",
        "status":"GOOD","build_id":{{number}},"artifact_id":{{number}},"diffoscope_log_id":null,"attestation_log_id":{{number}},
        "last_seen":"2026-11-30T03:27:07.084020002","seen_in_last_sync":true}]}
        """;
}
