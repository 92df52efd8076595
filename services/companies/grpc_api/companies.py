"""The gRPC service of companies."""

from typing import Any

from dashtrack.companies.v1 import company_pb2, company_service_pb2
from dashtrack.companies.v1.company_service_pb2_grpc import CompanyServiceServicer

from services.chassis.fields import decode_id
from services.chassis.identity import current_caller
from services.chassis.page_tokens import PAGE_SIZE_DEFAULT
from services.companies.codec import companies as codec
from services.companies.usecases.companies import CompanyUseCases

SERVICE_NAME = company_service_pb2.DESCRIPTOR.services_by_name["CompanyService"].full_name


class CompanyServicer(CompanyServiceServicer):
    """Serves companies."""

    def __init__(self, usecases: CompanyUseCases) -> None:
        self._usecases = usecases

    async def CreateCompany(
        self, request: company_service_pb2.CreateCompanyRequest, context: Any
    ) -> company_pb2.Company:
        new = codec.decode_new_company(request)
        return codec.encode_company(await self._usecases.create_company(current_caller(), new))

    async def GetCompany(
        self, request: company_service_pb2.GetCompanyRequest, context: Any
    ) -> company_pb2.Company:
        company_id = decode_id(request.company_id)
        return codec.encode_company(await self._usecases.get_company(current_caller(), company_id))

    async def ListCompanies(
        self, request: company_service_pb2.ListCompaniesRequest, context: Any
    ) -> company_service_pb2.ListCompaniesResponse:
        query = codec.decode_query(request)
        page = await self._usecases.list_companies(
            current_caller(),
            query,
            after=codec.decode_position(request, query.order),
            limit=request.page_size or PAGE_SIZE_DEFAULT,
        )
        return codec.encode_company_page(page, request)

    async def UpdateCompany(
        self, request: company_service_pb2.UpdateCompanyRequest, context: Any
    ) -> company_pb2.Company:
        company_id, edit = codec.decode_edit(request)
        company = await self._usecases.update_company(current_caller(), company_id, edit)
        return codec.encode_company(company)

    async def SuspendCompany(
        self, request: company_service_pb2.SuspendCompanyRequest, context: Any
    ) -> company_pb2.Company:
        company_id = decode_id(request.company_id)
        return codec.encode_company(
            await self._usecases.suspend_company(current_caller(), company_id, request.reason)
        )

    async def ResumeCompany(
        self, request: company_service_pb2.ResumeCompanyRequest, context: Any
    ) -> company_pb2.Company:
        company_id = decode_id(request.company_id)
        company = await self._usecases.resume_company(current_caller(), company_id)
        return codec.encode_company(company)

    async def DeleteCompany(
        self, request: company_service_pb2.DeleteCompanyRequest, context: Any
    ) -> company_pb2.Company:
        company_id = decode_id(request.company_id)
        company = await self._usecases.delete_company(current_caller(), company_id)
        return codec.encode_company(company)
