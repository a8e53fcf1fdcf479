using System.Reflection;
using Xunit.Sdk;

namespace TrustixProxy.Apt.RealClients;

/// <summary>A fact about real programs, skipped where they are missing.</summary>
/// <remarks><c>tests/run</c> counts a skipped test as failed where <c>CI=true</c>.</remarks>
internal sealed class AptFactAttribute : FactAttribute
{
    public AptFactAttribute() => Skip = AptFolder.Missing;
}

/// <summary>A theory about real programs, skipped where they are missing.</summary>
internal sealed class AptTheoryAttribute : TheoryAttribute
{
    public AptTheoryAttribute() => Skip = AptFolder.Missing;
}

/// <summary>Gives a theory each apt that is at hand.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class EachAptAttribute : DataAttribute
{
    public override IEnumerable<object[]> GetData(MethodInfo testMethod) =>
        AptFolder.Apts.Select(apt => new object[] { apt });
}
